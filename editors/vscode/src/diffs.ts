/** Shows what the server wants to change, and asks, before it is changed. */

import * as vscode from 'vscode';
import { own } from './settings';

const SCHEME = 'sfumato-after';

/** Why the user's own decision was carried out, to be told the server only. */
export const DISCARDED = 'you discarded it';

export class Diffs implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(
    SCHEME,
    this,
  );
  private shown = 0;

  provideTextDocumentContent(uri: vscode.Uri): string | undefined {
    return this.texts.get(uri.toString());
  }

  dispose(): void {
    this.registration.dispose();
  }

  /** Whether an edit may be applied; the user is shown what it does to each document. */
  async agreed(edit: vscode.WorkspaceEdit, label: string): Promise<boolean> {
    if (!own<boolean>('showDiffs')) {
      return true;
    }
    for (const [uri, edits] of edit.entries()) {
      if (!(await this.agreedFor(uri, edits, label))) {
        return false;
      }
    }
    return true;
  }

  private async agreedFor(
    uri: vscode.Uri,
    edits: vscode.TextEdit[],
    label: string,
  ): Promise<boolean> {
    const document = await vscode.workspace.openTextDocument(uri);
    this.shown += 1;
    const after = vscode.Uri.from({ scheme: SCHEME, path: uri.path, query: `${this.shown}` });
    this.texts.set(after.toString(), edited(document, edits));
    try {
      await vscode.commands.executeCommand('vscode.diff', uri, after, label, { preview: true });
      const apply = 'Apply';
      const answer = await vscode.window.showInformationMessage(label, apply, 'Discard');
      return answer === apply;
    } finally {
      this.texts.delete(after.toString());
      await closeDiff(after);
      await vscode.window.showTextDocument(document);
    }
  }
}

/** The document's text after the edits, which do not overlap. */
function edited(document: vscode.TextDocument, edits: vscode.TextEdit[]): string {
  const last = [...edits].sort((a, b) => b.range.start.compareTo(a.range.start));
  return last.reduce((text, { range, newText }) => {
    const [start, end] = [document.offsetAt(range.start), document.offsetAt(range.end)];
    return text.slice(0, start) + newText + text.slice(end);
  }, document.getText());
}

async function closeDiff(after: vscode.Uri): Promise<void> {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  const ours = tabs.filter(
    ({ input }) =>
      input instanceof vscode.TabInputTextDiff && input.modified.toString() === after.toString(),
  );
  await vscode.window.tabGroups.close(ours);
}
