/** The commands that change text. The server computes the edit and sends it to be applied. */

import * as vscode from 'vscode';

import { DISCARDED } from './diffs';
import type { Server } from './server';

const STRENGTHS = [
  { label: 'light', description: 'change few words' },
  { label: 'medium', description: 'change what is doubtful' },
  { label: 'full', description: 'write it anew' },
];

export function registerCommands(context: vscode.ExtensionContext, server: Server): void {
  const add = (name: string, action: (editor: vscode.TextEditor) => Promise<void>): void => {
    const command = vscode.commands.registerCommand(name, async () => {
      const editor = vscode.window.activeTextEditor;
      if (editor) {
        await action(editor);
      }
    });
    context.subscriptions.push(command);
  };
  const execute = async (command: string, ...words: unknown[]): Promise<void> => {
    const params = { command, arguments: words };
    const reason = await server.request<string | null>('workspace/executeCommand', params);
    if (reason && !reason.includes(DISCARDED)) {
      void vscode.window.showInformationMessage(reason);
    }
  };
  add('sfumato.fill', ({ document, selection }) =>
    execute('sfumato.fillHole', document.uri.toString(), position(selection.active)),
  );
  add('sfumato.fillAll', ({ document }) =>
    execute('sfumato.fillAllHoles', document.uri.toString()),
  );
  add('sfumato.repairHere', ({ document, selection }) => {
    const where = selection.isEmpty ? wholeOf(document) : selection;
    return execute('sfumato.repair', document.uri.toString(), range(where));
  });
  add('sfumato.rewriteSelection', async ({ document, selection }) => {
    const strength = await vscode.window.showQuickPick(STRENGTHS, {
      placeHolder: 'How much may change?',
    });
    if (strength) {
      const where = selection.isEmpty ? document.lineAt(selection.active).range : selection;
      await execute('sfumato.rewrite', document.uri.toString(), range(where), strength.label);
    }
  });
  add('sfumato.makeNextEdit', ({ document, selection }) =>
    execute('sfumato.nextEdit', document.uri.toString(), position(selection.active)),
  );
}

function position({ line, character }: vscode.Position): object {
  return { line, character };
}

function range({ start, end }: vscode.Range): object {
  return { start: position(start), end: position(end) };
}

function wholeOf(document: vscode.TextDocument): vscode.Range {
  return document.validateRange(new vscode.Range(0, 0, document.lineCount, 0));
}
