"""The agent: stdlib-only Python >= 3.8; tools/agent.mjs joins these files into the one that is delivered."""
