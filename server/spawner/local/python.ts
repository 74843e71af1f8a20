// The Python that runs agent and JupyterLab: found, checked, and its folders named for the sandbox.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface PythonFacts {
  /** Absolute; an environment is found by its own path, so links in it are kept. */
  executable: string;
  version: [number, number];
  /** The environment and the installation below it, parents first; both have to be visible in the sandbox. */
  prefixes: string[];
  jupyterlab: string | null;
  jupyterServer: string | null;
}

const question = `
import json, os, sys
def version(name):
    try:
        from importlib import metadata
        return metadata.version(name)
    except Exception:
        return None
real = os.path.dirname(os.path.dirname(os.path.realpath(sys.executable)))
prefixes = sorted({sys.prefix, sys.base_prefix, sys.exec_prefix, real} - {"/"})
print(json.dumps({"executable": sys.executable, "version": sys.version_info[:2], "prefixes": prefixes, "jupyterlab": version("jupyterlab"), "jupyterServer": version("jupyter_server")}))
`;

/**
 * @param executable path of the interpreter, or a name to be found in PATH
 * @throws Error with cause and remedy when it is missing or does not work
 */
export async function askPython(executable: string): Promise<PythonFacts> {
  try {
    const { stdout } = await run(executable, ['-I', '-c', question], { timeout: 20_000 });
    return JSON.parse(stdout) as PythonFacts;
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string };
    const missing = code === 'ENOENT';
    const said = stderr?.trim().split('\n').at(-1) || message.split('\n')[0];
    throw new Error(
      missing
        ? `Python '${executable}' does not exist; run npm start once so that setup makes it, or name another in the setting 'python'`
        : `Python '${executable}' does not work (${said}); name another, 3.10 or newer, in the setting 'python'`,
      { cause: error },
    );
  }
}

/** @returns what keeps sessions from running with this Python, with a remedy; undefined = nothing */
export function unfitPython(python: PythonFacts, needsJupyter: boolean): string | undefined {
  const [major, minor] = python.version;
  const remedy = "run npm start once so that setup makes an environment, or name another in the setting 'python'";
  if (major < 3 || (major === 3 && minor < 10))
    return `Python ${major}.${minor} at '${python.executable}' is too old, 3.10 or newer is needed; ${remedy}`;
  if (!needsJupyter) return undefined;
  if (python.jupyterlab === null) return `JupyterLab is not installed for '${python.executable}'; ${remedy}`;
  if (python.jupyterServer === null || Number(python.jupyterServer.split('.')[0]) < 2) {
    return `jupyter_server ${python.jupyterServer ?? '(missing)'} for '${python.executable}' is too old, 2.0 or newer is needed; ${remedy}`;
  }
  return undefined;
}
