/** Whether the user wants no suggestions for now: none at all, or none in a language. */

import * as vscode from 'vscode';

export class Pause implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly languages = new Set<string>();
  private everything = false;

  readonly onDidChange = this.changed.event;

  /** In every language, or in this one. */
  covers(language?: string): boolean {
    return this.everything || (language !== undefined && this.languages.has(language));
  }

  toggle(): void {
    this.everything = !this.everything;
    this.changed.fire();
  }

  toggleLanguage(language: string): void {
    if (!this.languages.delete(language)) {
      this.languages.add(language);
    }
    this.changed.fire();
  }

  dispose(): void {
    this.changed.dispose();
  }
}
