/** The menu behind the status bar item. */

import { execFile } from 'node:child_process';
import * as vscode from 'vscode';

import type { Pause } from './pause';
import type { Server } from './server';

interface Parts {
  server: Server;
  log: vscode.LogOutputChannel;
  pause: Pause;
}

interface Entry extends vscode.QuickPickItem {
  command: string;
}

/** What the program is asked is answered within this time, or it hangs. */
const LIMIT_MS = 60_000;

export function registerMenu(context: vscode.ExtensionContext, parts: Parts): void {
  const { server, log, pause } = parts;
  const commands: Record<string, () => unknown> = {
    'sfumato.menu': () => showMenu(pause),
    'sfumato.togglePause': () => pause.toggle(),
    'sfumato.toggleLanguage': () => {
      const language = vscode.window.activeTextEditor?.document.languageId;
      if (language) {
        pause.toggleLanguage(language);
      }
    },
    'sfumato.pickModel': () => pickModel(server),
    'sfumato.showStatistics': () => showStatistics(server),
    'sfumato.showLog': () => log.show(),
    'sfumato.runDoctor': () => runDoctor(server, log),
    'sfumato.restart': () => server.restart(),
    'sfumato.openSettings': () =>
      vscode.commands.executeCommand('workbench.action.openSettings', 'sfumato'),
  };
  for (const [name, action] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, action));
  }
}

async function showMenu(pause: Pause): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const entries: Entry[] = [
    {
      label: pause.covers() ? '$(play) Go on' : '$(debug-pause) Pause',
      command: 'sfumato.togglePause',
    },
    { label: '$(package) Pick a model', command: 'sfumato.pickModel' },
    { label: '$(graph) Statistics', command: 'sfumato.showStatistics' },
    { label: '$(output) Log', command: 'sfumato.showLog' },
    { label: '$(pulse) Doctor', command: 'sfumato.runDoctor' },
    { label: '$(debug-restart) Restart', command: 'sfumato.restart' },
    { label: '$(gear) Settings', command: 'sfumato.openSettings' },
  ];
  if (language && !pause.covers()) {
    const verb = pause.covers(language) ? '$(play) Go on' : '$(debug-pause) Pause';
    const label = `${verb} in ${language} files`;
    entries.splice(1, 0, { label, command: 'sfumato.toggleLanguage' });
  }
  const chosen = await vscode.window.showQuickPick(entries, { title: 'Sfumato' });
  if (chosen) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

/** One of those that the program knows, or a folder that has one. */
async function pickModel(server: Server): Promise<void> {
  const folder: vscode.QuickPickItem = { label: '$(folder) A folder ...' };
  const entries = [...(await modelsOf(server.programPath)), folder];
  const title = 'The model to complete with';
  const chosen = await vscode.window.showQuickPick(entries, { title });
  const model = chosen === folder ? await pickFolder() : chosen?.label;
  if (model) {
    const settings = vscode.workspace.getConfiguration('sfumato');
    await settings.update('model', model, vscode.ConfigurationTarget.Global);
  }
}

/** What `sfumato model list` prints: a mark at the one in use, a name, and a few words on it. */
async function modelsOf(program: string | undefined): Promise<vscode.QuickPickItem[]> {
  const { said } = await run(program, ['model', 'list']);
  const lines = [...said.matchAll(/^[* ] (\S+) +(.*)$/gm)];
  return lines.map(([, label, description]) => ({ label: label!, description }));
}

async function pickFolder(): Promise<string | undefined> {
  const folders = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    title: 'A folder with a model',
    openLabel: 'Use This Model',
  });
  return folders?.[0]?.fsPath;
}

async function showStatistics(server: Server): Promise<void> {
  const figures = await server.request<Record<string, unknown>>('sfumato/statistics', {});
  if (figures) {
    const lines = Object.entries(figures).map(
      ([name, value]) => `${name.replaceAll('_', ' ')}: ${value ?? 'none yet'}`,
    );
    await vscode.window.showInformationMessage('Sfumato', {
      modal: true,
      detail: lines.join('\n'),
    });
  }
}

async function runDoctor(server: Server, log: vscode.LogOutputChannel): Promise<void> {
  log.show();
  const { said, failed } = await run(server.programPath, ['doctor']);
  log.info(said || `sfumato doctor: ${failed}`);
}

/** What the program prints to both streams, and why it failed if it did. */
function run(
  program: string | undefined,
  words: string[],
): Promise<{ said: string; failed?: string }> {
  if (!program) {
    return Promise.resolve({ said: '', failed: 'The language server is not installed.' });
  }
  return new Promise((resolve) => {
    const child = execFile(program, words, { timeout: LIMIT_MS }, (error, stdout, stderr) =>
      resolve({ said: stdout + stderr, ...(error && { failed: error.message }) }),
    );
    child.stdin?.end();
  });
}
