/** Where the program `sfumato` is, and how it gets there if it is nowhere. */

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
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
  const configured = own<string>('program');
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
  folders.push(path.join(ownEnvironment(context), SCRIPTS));
  for (const folder of folders) {
    const program = path.join(folder, NAME);
    if (await canRun(program)) {
      return program;
    }
  }
  return undefined;
}

/** Make an environment of our own, with the user's consent; undefined without it. */
export async function offerToInstall(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
): Promise<string | undefined> {
  const install = 'Install';
  const answer = await vscode.window.showInformationMessage(
    'Sfumato needs its language server, which was not found. Install it into a Python ' +
      'environment of its own? It is loaded from the package index that pip is set up for.',
    install,
    'Not Now',
  );
  if (answer !== install) {
    return undefined;
  }
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'Sfumato', cancellable: true },
    (progress, token) => installInto(ownEnvironment(context), log, progress, token),
  );
}

async function installInto(
  environment: string,
  log: vscode.LogOutputChannel,
  progress: vscode.Progress<{ message: string }>,
  token: vscode.CancellationToken,
): Promise<string> {
  progress.report({ message: 'looking for Python' });
  const python = await findPython();
  const abort = new AbortController();
  token.onCancellationRequested(() => abort.abort());
  const step = async (message: string, program: string, ...words: string[]): Promise<void> => {
    progress.report({ message });
    log.info(`${program} ${words.join(' ')}`);
    try {
      const { stdout } = await run(program, words, { signal: abort.signal });
      log.info(stdout);
    } catch (error) {
      log.error(String((error as { stderr?: string }).stderr || error));
      const reason = token.isCancellationRequested ? 'was stopped' : 'failed';
      throw new Unavailable(`Installing Sfumato ${reason} while ${message}.`);
    }
  };
  await step('making an environment', python, '-m', 'venv', environment);
  const pip = [path.join(environment, SCRIPTS, 'python'), '-m', 'pip', 'install'] as const;
  await step('loading the server (a few minutes)', ...pip, own<string>('package'));
  return path.join(environment, SCRIPTS, NAME);
}

async function findPython(): Promise<string> {
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

function ownEnvironment(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, 'venv');
}

async function canRun(program: string): Promise<boolean> {
  return access(program, constants.X_OK).then(
    () => true,
    () => false,
  );
}
