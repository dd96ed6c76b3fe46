/** Where the program `sfumato` is, and where a Python is that can run it. */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';

import { own } from './settings';

const run = promisify(execFile);

const WINDOWS = process.platform === 'win32';
const NAME = WINDOWS ? 'sfumato.exe' : 'sfumato';
const SCRIPTS = WINDOWS ? 'Scripts' : 'bin';
const PYTHONS = WINDOWS
  ? ['py', 'python']
  : ['python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3', 'python'];

/** One sentence for the user. */
export class Unavailable extends Error {}

/** The configured program, else one on PATH, beside the selected interpreter, or of our own. */
export async function findProgram(
  context: vscode.ExtensionContext,
): Promise<string | undefined> {
  const configured = own<string>('program').replace(/^~(?=[/\\])/, homedir());
  if (configured) {
    if (await canRun(configured)) {
      return configured;
    }
    throw new Unavailable(`The setting sfumato.program is ${configured}, which cannot be run.`);
  }
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean);
  const interpreter = await selectedInterpreter();
  if (interpreter) {
    folders.push(path.dirname(interpreter));
  }
  const places = folders.map((folder) => path.join(folder, NAME));
  for (const program of [...places, programIn(ownEnvironment(context))]) {
    if (await canRun(program)) {
      return program;
    }
  }
  return undefined;
}

/** Where `make setup` puts the program in a clone, or pip in an environment of ours. */
export function programIn(environment: string): string {
  return path.join(environment, SCRIPTS, NAME);
}

export function pythonIn(environment: string): string {
  return path.join(environment, SCRIPTS, 'python');
}

export function ownEnvironment(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, 'venv');
}

export async function canRun(program: string): Promise<boolean> {
  return access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The selected interpreter or one on PATH, if it is recent enough. */
export async function findPython(): Promise<string> {
  const interpreter = await selectedInterpreter();
  const recent = 'import sys; sys.exit(sys.version_info < (3, 11))';
  for (const python of interpreter ? [interpreter, ...PYTHONS] : PYTHONS) {
    try {
      await run(python, ['-c', recent]);
      return python;
    } catch {
      // is not there, or is older
    }
  }
  throw new Unavailable('No Python 3.11 or newer was found; install one, then try again.');
}

/** Of the Python extension, if the user has it. */
async function selectedInterpreter(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension('ms-python.python');
  const api = await extension?.activate();
  return api?.environments?.getActiveEnvironmentPath?.()?.path;
}
