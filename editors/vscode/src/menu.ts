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
  run: () => unknown;
}

export function registerMenu(context: vscode.ExtensionContext, parts: Parts): void {
  const { server, log, pause } = parts;
  const commands: Record<string, () => unknown> = {
    'sfumato.menu': () => showMenu(parts),
    'sfumato.togglePause': () => pause.toggle(),
    'sfumato.toggleLanguage': () => {
      const language = vscode.window.activeTextEditor?.document.languageId;
      if (language) {
        pause.toggleLanguage(language);
      }
    },
    'sfumato.pickModel': () => pickModel(),
    'sfumato.showStatistics': () => showStatistics(server),
    'sfumato.showLog': () => log.show(),
    'sfumato.runDoctor': () => runDoctor(server, log),
    'sfumato.restart': () => server.restart(),
  };
  for (const [name, action] of Object.entries(commands)) {
    context.subscriptions.push(vscode.commands.registerCommand(name, action));
  }
}

async function showMenu({ server, log, pause }: Parts): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const entries: Entry[] = [
    {
      label: pause.covers() ? '$(play) Go on' : '$(debug-pause) Pause',
      run: () => pause.toggle(),
    },
    { label: '$(package) Pick a model', run: () => pickModel() },
    { label: '$(graph) Statistics', run: () => showStatistics(server) },
    { label: '$(output) Log', run: () => log.show() },
    { label: '$(pulse) Doctor', run: () => runDoctor(server, log) },
    { label: '$(debug-restart) Restart', run: () => server.restart() },
    {
      label: '$(gear) Settings',
      run: () => vscode.commands.executeCommand('workbench.action.openSettings', 'sfumato'),
    },
  ];
  if (language && !pause.covers()) {
    const verb = pause.covers(language) ? '$(play) Go on' : '$(debug-pause) Pause';
    const run = (): void => pause.toggleLanguage(language);
    entries.splice(1, 0, { label: `${verb} in ${language} files`, run });
  }
  const chosen = await vscode.window.showQuickPick(entries, { title: 'Sfumato' });
  await chosen?.run();
}

async function pickModel(): Promise<void> {
  const folders = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    title: 'A folder with a model',
    openLabel: 'Use This Model',
  });
  if (folders?.[0]) {
    const settings = vscode.workspace.getConfiguration('sfumato');
    await settings.update('model', folders[0].fsPath, vscode.ConfigurationTarget.Global);
  }
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

function runDoctor(server: Server, log: vscode.LogOutputChannel): void {
  const program = server.programPath;
  if (!program) {
    void vscode.window.showWarningMessage('The language server is not installed.');
    return;
  }
  log.show();
  execFile(program, ['doctor'], (_, stdout, stderr) => log.info(`${stdout}${stderr}`));
}
