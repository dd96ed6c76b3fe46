/** The door: puts the pieces together when the first file in a known language is opened. */

import * as vscode from 'vscode';

import { registerCommands } from './commands';
import { Diffs } from './diffs';
import { registerMenu } from './menu';
import { Pause } from './pause';
import { Preview } from './preview';
import { Server } from './server';
import { StatusItem } from './status';

let server: Server | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Sfumato', { log: true });
  const pause = new Pause();
  const status = new StatusItem(pause);
  const diffs = new Diffs();
  const preview = new Preview();
  server = new Server(context, { log, pause, status, diffs, preview });
  context.subscriptions.push(log, pause, status, diffs, preview);
  registerCommands(context, server);
  registerMenu(context, { server, log, pause });
  const running = server;
  const changed = vscode.workspace.onDidChangeConfiguration((event) => {
    if (['sfumato.program', 'sfumato.model'].some((name) => event.affectsConfiguration(name))) {
      void running.restart();
    }
  });
  context.subscriptions.push(changed);
  void running.start(); // may ask the user something, which commands do not wait for
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
