/** The item in the status bar: how the server stands, and what is wrong if anything is. */

import * as vscode from 'vscode';

import type { Pause } from './pause';

/** What `$/sfumato/status` carries. */
export interface Status {
  state: 'starting' | 'idle' | 'busy' | 'off' | 'error';
  model?: string | null;
  device?: string | null;
  last_ms?: number | null;
  tokens_per_pass?: number | null;
  message?: string;
  silence?: string | null;
  unchecked?: string | null;
}

const ICONS: Record<Status['state'], string> = {
  starting: '$(loading~spin)',
  idle: '$(sparkle)',
  busy: '$(sparkle)',
  off: '$(circle-slash)',
  error: '$(warning)',
};

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'sfumato',
    vscode.StatusBarAlignment.Right,
    100,
  );
  private readonly listeners: vscode.Disposable[];
  private status: Status = { state: 'starting' };
  private program: string | undefined;

  constructor(private readonly pause: Pause) {
    this.item.name = 'Sfumato';
    this.item.command = 'sfumato.menu';
    this.listeners = [
      pause.onDidChange(() => this.draw()),
      vscode.window.onDidChangeActiveTextEditor(() => this.draw()),
    ];
    this.draw();
    this.item.show();
  }

  set(status: Status): void {
    this.status = status;
    this.draw();
  }

  /** That is being started. */
  setProgram(program: string): void {
    this.program = program;
    this.draw();
  }

  fail(message: string): void {
    this.set({ state: 'error', message });
  }

  dispose(): void {
    this.item.dispose();
    this.listeners.forEach((each) => each.dispose());
  }

  private draw(): void {
    const language = vscode.window.activeTextEditor?.document.languageId;
    const paused = this.pause.covers(language);
    const took = this.status.last_ms;
    const icon = paused ? '$(debug-pause)' : ICONS[this.status.state];
    this.item.text = `${icon} ${took == null ? 'Sfumato' : `${Math.round(took)} ms`}`;
    this.item.tooltip = [...this.lines(paused)].join('\n');
    this.item.backgroundColor =
      this.status.state === 'error'
        ? new vscode.ThemeColor('statusBarItem.warningBackground')
        : undefined;
  }

  private *lines(paused: boolean): Generator<string> {
    const { state, model, device, last_ms: took, message, silence, unchecked } = this.status;
    yield paused ? 'Sfumato: paused' : `Sfumato: ${state}`;
    if (model) {
      yield `Model ${model} on ${device ?? 'an unknown device'}`;
    }
    if (took != null) {
      yield `Last answer in ${Math.round(took)} ms`;
    }
    if (message) {
      yield message;
    }
    if (silence) {
      yield `Nothing is shown: ${silence}`;
    }
    if (unchecked) {
      yield unchecked;
    }
    if (this.program) {
      yield `Program ${this.program}`;
    }
  }
}
