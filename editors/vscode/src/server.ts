/** The language server's life: found, started, started again when it dies. */

import { setTimeout as pauseFor } from 'node:timers/promises';
import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  type ServerOptions,
} from 'vscode-languageclient/node';

import type { Diffs } from './diffs';
import { offerToInstall } from './install';
import type { Pause } from './pause';
import type { Draft, Preview } from './preview';
import { Unavailable, findProgram } from './program';
import { languages, own, serverSettings } from './settings';
import type { Status, StatusItem } from './status';

/** Pause after the first, second, ... death in a row. */
const BACK_OFF_MS = [1_000, 2_000, 5_000, 15_000, 60_000];

/** A server that has lived this long has not died in a row. */
const SETTLED_MS = 60_000;

export interface Surroundings {
  log: vscode.LogOutputChannel;
  pause: Pause;
  status: StatusItem;
  diffs: Diffs;
  preview: Preview;
}

export class Server {
  private client: LanguageClient | undefined;
  private program: string | undefined;
  private deaths = 0;
  private startedAt = 0;
  private attempts = 0;
  private turn: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly around: Surroundings,
  ) {}

  /** Find the program, or have it installed, and start it; what goes wrong is shown.
   *
   * Nothing happens if it was asked for again while the user was thinking.
   */
  async start(): Promise<void> {
    const { log, status } = this.around;
    this.attempts += 1;
    const attempt = this.attempts;
    status.set({ state: 'starting' });
    try {
      const program = (await findProgram(this.context)) ?? (await offerToInstall(this.context, log));
      if (attempt !== this.attempts) {
        return;
      }
      if (!program) {
        status.fail('The language server is not installed.');
        return;
      }
      this.program = program;
      status.setProgram(program);
      await this.inTurn(() => this.launch());
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log.error(message);
      status.fail(message);
      if (error instanceof Unavailable && (await showError(message))) {
        log.show();
      }
    }
  }

  async stop(): Promise<void> {
    await this.inTurn(async () => {
      const client = this.client;
      this.client = undefined;
      await client?.dispose();
    });
  }

  async restart(): Promise<void> {
    await this.stop();
    this.deaths = 0;
    await this.start();
  }

  /** What `sfumato doctor` is run with. */
  get programPath(): string | undefined {
    return this.program;
  }

  /** Ask the server; undefined, and a message, when it is not running. */
  async request<T>(method: string, params: object): Promise<T | undefined> {
    if (!this.client?.isRunning()) {
      void vscode.window.showWarningMessage('Sfumato is not running.');
      return undefined;
    }
    return this.client.sendRequest<T>(method, params);
  }

  private async launch(): Promise<void> {
    this.around.log.info(`starting ${this.program}`);
    this.client = new LanguageClient('sfumato', 'Sfumato', this.command(), this.options());
    this.listen(this.client);
    this.startedAt = Date.now();
    await this.client.start();
  }

  /** Not to a server that is just being stopped. */
  private tellSettings(): Promise<void> {
    return this.inTurn(async () => {
      if (this.client?.isRunning()) {
        const settings = { sfumato: serverSettings(this.context) };
        await this.client.sendNotification('workspace/didChangeConfiguration', { settings });
      }
    });
  }

  /** One start or stop after the other: a client that is still starting cannot be stopped. */
  private inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.turn.then(action);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private command(): ServerOptions {
    const model = own<string>('model');
    const args = model ? ['lsp', '--model', model] : ['lsp'];
    return { command: this.program!, args };
  }

  private options(): LanguageClientOptions {
    const { log, pause, diffs } = this.around;
    return {
      documentSelector: languages(this.context).map((language) => ({ language })),
      outputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never, // the status item says what is wrong
      initializationOptions: serverSettings(this.context),
      synchronize: { configurationSection: 'sfumato' },
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => this.closed(),
      },
      middleware: {
        provideInlineCompletionItems: (document, position, context, token, next) =>
          pause.covers(document.languageId)
            ? undefined
            : next(document, position, context, token),
        workspace: {
          configuration: ({ items }) =>
            items.map(({ scopeUri }) =>
              serverSettings(this.context, scopeUri ? vscode.Uri.parse(scopeUri) : undefined),
            ),
          didChangeConfiguration: () => this.tellSettings(),
          handleApplyEdit: async (params, next) =>
            (await diffs.agreed(this.client!, params))
              ? next(params, new vscode.CancellationTokenSource().token)
              : { applied: false },
        },
      },
    };
  }

  private listen(client: LanguageClient): void {
    const { preview, status } = this.around;
    client.onNotification('$/sfumato/status', (now: Status) => status.set(now));
    client.onNotification('sfumato/preview', (draft: Draft) =>
      preview.draw(client.protocol2CodeConverter.asUri(draft.uri), draft),
    );
  }

  /** The connection was lost: wait, then have the server started again. */
  private async closed(): Promise<{ action: CloseAction; handled: boolean }> {
    const { log, status } = this.around;
    if (!this.client) {
      return { action: CloseAction.DoNotRestart, handled: true }; // it was stopped
    }
    this.deaths = Date.now() - this.startedAt > SETTLED_MS ? 0 : this.deaths;
    const pauseMs = BACK_OFF_MS[this.deaths];
    this.deaths += 1;
    if (pauseMs === undefined) {
      status.fail('The language server does not stay up; its log says why.');
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    log.warn(`the server is gone; it is started again in ${pauseMs / 1000} s`);
    status.set({ state: 'starting', message: 'The language server is being started again.' });
    await pauseFor(pauseMs);
    this.startedAt = Date.now();
    return { action: CloseAction.Restart, handled: true };
  }
}

/** Tell the user what is wrong; whether the log is asked for. */
async function showError(message: string): Promise<boolean> {
  const showLog = 'Show the Log';
  return (await vscode.window.showErrorMessage(message, showLog)) === showLog;
}
