/** The refinement of a suggestion as it happens: ghost text that comes out of the haze. */

import * as vscode from 'vscode';

/** What `sfumato/preview` carries: the hole after one step. */
export interface Draft {
  uri: string;
  version: number;
  position: { line: number; character: number };
  text: string;
  masked: number;
  done: boolean;
}

/** A draft that nothing follows is taken away after this time. */
const FORGOTTEN_MS = 1_000;

export class Preview implements vscode.Disposable {
  private readonly haze = vscode.window.createTextEditorDecorationType({});
  private readonly listener = vscode.workspace.onDidChangeTextDocument(({ document }) => {
    if (document === this.shown?.document) {
      this.clear();
    }
  });
  private shown: vscode.TextEditor | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** Show a draft at its place, the fainter the more of it is masked; the last one clears. */
  draw(uri: vscode.Uri, draft: Draft): void {
    this.clear();
    const editor = vscode.window.visibleTextEditors.find(
      ({ document }) => document.uri.toString() === uri.toString(),
    );
    if (draft.done || !editor || editor.document.version !== draft.version) {
      return;
    }
    const { line, character } = draft.position;
    const place = new vscode.Range(line, character, line, character);
    const first = draft.text.split('\n', 1)[0]!.replaceAll(' ', '\u00a0');
    const known = 1 - draft.masked / Math.max(1, draft.text.length);
    const style = `none; opacity: ${(0.25 + 0.5 * known).toFixed(2)}`;
    const after: vscode.ThemableDecorationAttachmentRenderOptions = {
      contentText: first,
      color: new vscode.ThemeColor('editorGhostText.foreground'),
      textDecoration: style, // the one way to say how opaque an attachment is
    };
    editor.setDecorations(this.haze, [{ range: place, renderOptions: { after } }]);
    this.shown = editor;
    this.timer = setTimeout(() => this.clear(), FORGOTTEN_MS);
  }

  dispose(): void {
    this.clear();
    this.listener.dispose();
    this.haze.dispose();
  }

  private clear(): void {
    clearTimeout(this.timer);
    this.shown?.setDecorations(this.haze, []);
    this.shown = undefined;
  }
}
