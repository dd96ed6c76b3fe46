/** Where the program `sfumato` is, and where a Python is that can run it. */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
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

/** The configured program, else one on PATH, beside the selected interpreter, or of our own. */
export async function findProgram(
  context: vscode.ExtensionContext,
): Promise<string | undefined> {
  const configured = own<string>('program').replace(/^~(?=[/\\])/, homedir());
  if (configured) {
    if (await canRun(configured)) {
      return configured;
    }
    throw new Error(`The setting sfumato.program is ${configured}, which cannot be run.`);
  }
  for await (const program of places(context)) {
    if (await canRun(program)) {
      return program;
    }
  }
  return undefined;
}

/** One after the other: the Python extension takes seconds to say what is selected. */
async function* places(context: vscode.ExtensionContext): AsyncGenerator<string> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter).filter(Boolean)) {
    yield path.join(folder, NAME);
  }
  const interpreter = await selectedInterpreter();
  if (interpreter) {
    yield path.join(path.dirname(interpreter), NAME);
  }
  yield programIn(ownEnvironment(context));
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

/** Whether it is a program, and the interpreter that a script names in its first line is there. */
export async function canRun(program: string): Promise<boolean> {
  try {
    await access(program, constants.X_OK);
    const interpreter = /^#!\s*(\S+)/.exec(await beginning(program))?.[1];
    await access(interpreter ?? program, constants.X_OK);
    return (await stat(program)).isFile();
  } catch {
    return false;
  }
}

async function beginning(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
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
  throw new Error('No Python 3.11 or newer was found; install one, then try again.');
}

/** Of the Python extension, if the user has it. */
async function selectedInterpreter(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension('ms-python.python');
  const api = await extension?.activate();
  return api?.environments?.getActiveEnvironmentPath?.()?.path;
}
