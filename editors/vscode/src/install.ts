/** Getting the program where it is nowhere: from a clone of the user's, or by pip. */

import { spawn } from 'node:child_process';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import * as vscode from 'vscode';

import { canRun, findPython, ownEnvironment, programIn, pythonIn } from './program';
import { own } from './settings';

/** What Python and pip say where something is missing, and what it means. */
const CAUSES: [RegExp, string][] = [
  [/ensurepip is not/, "Python's module venv is missing; on Debian: apt install python3-venv."],
  [
    /NewConnectionError|ConnectTimeoutError|NameResolutionError|ProxyError/,
    'The package index cannot be reached. Is there a network?',
  ],
  [/No space left on device/, 'The disk is full.'],
];

/** Ask the user for consent, then get the program; undefined without it. */
export async function offerToInstall(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
): Promise<string | undefined> {
  const wanted = own<string>('package') || (await offerToChoose());
  if (!wanted) {
    return undefined;
  }
  const ready = programIn(path.join(wanted, '.venv'));
  if (await canRun(ready)) {
    const settings = vscode.workspace.getConfiguration('sfumato');
    await settings.update('program', ready, vscode.ConfigurationTarget.Global);
    return ready;
  }
  const install = 'Install';
  const answer = await vscode.window.showInformationMessage(
    `Install ${wanted} with all it needs into a Python environment of Sfumato's own?`,
    install,
    'Not Now',
  );
  if (answer !== install) {
    return undefined;
  }
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'Sfumato', cancellable: true },
    (progress, token) => installInto(ownEnvironment(context), wanted, log, progress, token),
  );
}

/** The folder of a clone, which the user has: this extension was built in one. */
async function offerToChoose(): Promise<string | undefined> {
  const choose = 'Choose the Clone';
  const answer = await vscode.window.showInformationMessage(
    'The language server of Sfumato was not found. Where is your clone of Sfumato?',
    choose,
    'Not Now',
  );
  if (answer !== choose) {
    return undefined;
  }
  const folders = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    title: 'A clone of Sfumato',
    openLabel: 'Use This Clone',
  });
  return folders?.[0]?.fsPath;
}

async function installInto(
  environment: string,
  wanted: string,
  log: vscode.LogOutputChannel,
  progress: vscode.Progress<{ message: string }>,
  token: vscode.CancellationToken,
): Promise<string> {
  const python = await findPython();
  const abort = new AbortController();
  token.onCancellationRequested(() => abort.abort());
  const tell = (line: string): void => {
    log.info(line);
    progress.report({ message: line.trim() });
  };
  const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check'];
  try {
    tell(`making an environment with ${python}`);
    await execute(python, ['-m', 'venv', environment], abort.signal, tell);
    await execute(pythonIn(environment), [...pip, wanted], abort.signal, tell);
  } catch (error) {
    const reason = token.isCancellationRequested ? 'It was stopped.' : cause(error as Error);
    throw new Error(`Sfumato was not installed. ${reason}`);
  }
  return programIn(environment);
}

/** Run a program and tell each line it says; rejects with all of them when it fails. */
function execute(
  program: string,
  words: string[],
  signal: AbortSignal,
  tell: (line: string) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { signal, stdio: ['ignore', 'pipe', 'pipe'] });
    const said: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        tell(line);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(said.join('\n')))));
  });
}

function cause({ message }: Error): string {
  const known = CAUSES.find(([said]) => said.test(message));
  return known ? known[1] : message.trim().split('\n').at(-1)!;
}
