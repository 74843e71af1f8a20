// The Python that runs agent and JupyterLab: found, checked, and its folders named for the sandbox.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface PythonFacts {
  executable: string;
  version: [number, number];
  /** The environment and the installation below it; both have to be visible in the sandbox. */
  prefixes: string[];
  jupyterlab: string | null;
  jupyterServer: string | null;
}

const question = `
import json, sys
from importlib import metadata
def version(name):
    try: return metadata.version(name)
    except metadata.PackageNotFoundError: return None
print(json.dumps({"version": sys.version_info[:2], "prefixes": sorted({sys.prefix, sys.base_prefix, sys.exec_prefix}), "jupyterlab": version("jupyterlab"), "jupyterServer": version("jupyter_server")}))
`;

/**
 * @param executable path of the interpreter; not resolved, since an environment is found by its own path
 * @throws Error with cause and remedy: missing, or older than 3.8 (metadata needs it)
 */
export async function askPython(executable: string): Promise<PythonFacts> {
  try {
    const { stdout } = await run(executable, ['-I', '-c', question], { timeout: 20_000 });
    return { executable, ...(JSON.parse(stdout) as Omit<PythonFacts, 'executable'>) };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Error(
      missing
        ? `Python '${executable}' does not exist; run npm start once so that setup makes it, or name another in the setting 'python'`
        : `Python '${executable}' does not work (${(error as Error).message.split('\n').slice(0, 3).join(' ')}); 3.10 or newer is needed`,
      { cause: error },
    );
  }
}

/** @returns what keeps JupyterLab sessions from running with this Python, with a remedy; undefined = nothing */
export function unfit(python: PythonFacts): string | undefined {
  const [major, minor] = python.version;
  if (major < 3 || (major === 3 && minor < 10))
    return `Python ${major}.${minor} at '${python.executable}' is too old; 3.10 or newer is needed`;
  if (python.jupyterlab === null)
    return `JupyterLab is not installed for '${python.executable}'; remove .cache/setup and run npm start again`;
  if (python.jupyterServer === null || Number(python.jupyterServer.split('.')[0]) < 2) {
    return `jupyter_server ${python.jupyterServer ?? 'is missing and'} for '${python.executable}' is too old; 2.0 or newer is needed`;
  }
  return undefined;
}
