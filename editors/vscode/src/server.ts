/** The language server's life: found, started, started again when it dies. */

import { setTimeout as pauseFor } from 'node:timers/promises';
import * as vscode from 'vscode';
import {
  type ApplyWorkspaceEditParams,
  type ApplyWorkspaceEditRequest,
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  type ServerOptions,
} from 'vscode-languageclient/node';

import { DISCARDED, type Diffs } from './diffs';
import { offerToInstall } from './install';
import type { Pause } from './pause';
import type { Draft, Preview } from './preview';
import { findProgram } from './program';
import { languages, own, serverSettings } from './settings';
import type { Status, StatusItem } from './status';

/** Pause after the first, second, ... death in a row. */
const BACK_OFF_MS = [1_000, 2_000, 5_000, 15_000, 60_000];

/** A server that has lived this long has not died in a row. */
const SETTLED_MS = 60_000;

/** A server that is to stop while it starts may start for so long, to stop in good order. */
const PATIENCE_MS = 2_000;

export interface Surroundings {
  log: vscode.LogOutputChannel;
  pause: Pause;
  status: StatusItem;
  diffs: Diffs;
  preview: Preview;
}

/** Each life of the server has a client and a number; what concerns an earlier one is passed over. */
export class Server {
  private client: LanguageClient | undefined;
  private started: Promise<unknown> = Promise.resolve();
  private stopped: Promise<unknown> = Promise.resolve();
  private program: string | undefined;
  private deaths = 0;
  private startedAt = 0;
  private life = 0;

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
    const life = this.begin();
    status.set({ state: 'starting' });
    try {
      const program = (await findProgram(this.context)) ?? (await offerToInstall(this.context, log));
      if (life !== this.life) {
        return;
      }
      if (!program) {
        status.fail('The language server is not installed.');
        return;
      }
      this.program = program;
      status.setProgram(program);
      await this.launch(program, life);
    } catch (error) {
      if (life === this.life) {
        this.begin();
        await this.explain(error);
      }
    }
  }

  /** Resolves when this server and those before it are gone: two would fight over commands. */
  async stop(): Promise<void> {
    const { client, started } = this;
    this.begin();
    if (client) {
      this.stopped = Promise.all([this.stopped, this.end(client, started)]);
    }
    await this.stopped;
  }

  /** Stop and start; where that was asked for again meanwhile, the later one starts. */
  async restart(): Promise<void> {
    const stopped = this.stop();
    const life = this.life;
    this.around.status.set({ state: 'starting' });
    await stopped;
    if (life === this.life) {
      this.deaths = 0;
      await this.start();
    }
  }

  /** What `sfumato doctor` is run with. */
  get programPath(): string | undefined {
    return this.program;
  }

  /** Ask the server; undefined, and a message, when it does not answer. */
  async request<T>(method: string, params: object): Promise<T | undefined> {
    if (!this.client?.isRunning()) {
      void vscode.window.showWarningMessage('Sfumato is not running.');
      return undefined;
    }
    try {
      return await this.client.sendRequest<T>(method, params);
    } catch (error) {
      void vscode.window.showWarningMessage(`Sfumato did not answer: ${sentence(error)}`);
      return undefined;
    }
  }

  /** The number of another life, with no client so far. */
  private begin(): number {
    this.client = undefined;
    this.life += 1;
    return this.life;
  }

  private async launch(program: string, life: number): Promise<void> {
    this.around.log.info(`starting ${program}`);
    const client = new QuietClient(
      'sfumato',
      'Sfumato',
      commandOf(program),
      this.options(() => this.closed(life)),
    );
    this.listen(client);
    this.client = client;
    this.startedAt = Date.now();
    this.started = client.start();
    await this.started.catch(() => this.closed(life)); // the client has logged why
  }

  /** A client that is still starting cannot say goodbye; disposed of, it kills its server. */
  private async end(client: LanguageClient, started: Promise<unknown>): Promise<void> {
    const settled = started.catch(() => undefined);
    await Promise.race([settled, pauseFor(PATIENCE_MS)]);
    await client.dispose().catch((error) => this.around.log.debug(`${error}`));
    await settled;
  }

  private async explain(error: unknown): Promise<void> {
    const { log, status } = this.around;
    const message = sentence(error);
    log.error(message);
    status.fail(message);
    if (await showError(message)) {
      log.show();
    }
  }

  private async tellSettings(): Promise<void> {
    if (this.client?.isRunning()) {
      const settings = { sfumato: serverSettings(this.context) };
      await this.client.sendNotification('workspace/didChangeConfiguration', { settings });
    }
  }

  private options(closed: () => CloseHandlerResult): LanguageClientOptions {
    const { log, pause } = this.around;
    return {
      documentSelector: languages(this.context).map((language) => ({ language })),
      outputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never, // the status item says what is wrong
      initializationOptions: serverSettings(this.context),
      synchronize: { configurationSection: 'sfumato' },
      initializationFailedHandler: () => false, // start() rejects, too
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed,
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
          handleApplyEdit: (params, next) => this.apply(params, next),
        },
      },
    };
  }

  private listen(client: LanguageClient): void {
    const { preview, status } = this.around;
    client.onNotification('$/sfumato/status', (now: Status) => {
      if (client === this.client) {
        status.set(now);
      }
    });
    client.onNotification('sfumato/preview', (draft: Draft) =>
      preview.draw(client.protocol2CodeConverter.asUri(draft.uri), draft),
    );
  }

  /** Have an edit applied if the user agrees; the server is told why where it is not. */
  private async apply(
    params: ApplyWorkspaceEditParams,
    next: ApplyWorkspaceEditRequest.HandlerSignature,
  ): Promise<Awaited<ReturnType<typeof next>>> {
    if (!this.client) {
      return { applied: false, failureReason: 'the server is being stopped' };
    }
    const edit = await this.client.protocol2CodeConverter.asWorkspaceEdit(params.edit);
    const documents = edit.entries().map(([uri]) => vscode.workspace.openTextDocument(uri));
    const before = (await Promise.all(documents)).map(({ version }) => version);
    if (!(await this.around.diffs.agreed(edit, params.label ?? 'Sfumato'))) {
      return { applied: false, failureReason: DISCARDED };
    }
    const result = await next(params, new vscode.CancellationTokenSource().token);
    if (result instanceof Error || result.applied) {
      return result;
    }
    const after = (await Promise.all(documents)).map(({ version }) => version);
    const isSame = after.every((version, index) => version === before[index]);
    const failureReason = isSame ? 'VS Code refused it' : 'the text has changed meanwhile';
    return { applied: false, failureReason };
  }

  /** The connection was lost, or never came about: the server is started again after a while. */
  private closed(life: number): CloseHandlerResult {
    if (life === this.life) {
      void this.revive();
    }
    return { action: CloseAction.DoNotRestart, handled: true, message: 'the server is gone' };
  }

  private async revive(): Promise<void> {
    const { log, status } = this.around;
    const life = this.begin();
    this.deaths = Date.now() - this.startedAt > SETTLED_MS ? 0 : this.deaths;
    const pauseMs = BACK_OFF_MS[this.deaths];
    this.deaths += 1;
    if (pauseMs === undefined) {
      status.fail('The language server does not stay up; its log says why.');
      return;
    }
    log.warn(`the server is started again in ${pauseMs / 1000} s`);
    status.set({ state: 'starting', message: 'The language server is being started again.' });
    await pauseFor(pauseMs);
    if (life === this.life) {
      await this.start();
    }
  }
}

/** A client that only logs what it would pop up: the user is told once, by `explain`. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

function commandOf(program: string): ServerOptions {
  const model = own<string>('model');
  return { command: program, args: model ? ['lsp', '--model', model] : ['lsp'] };
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Tell the user what is wrong; whether the log is asked for. */
async function showError(message: string): Promise<boolean> {
  const showLog = 'Show the Log';
  return (await vscode.window.showErrorMessage(message, showLog)) === showLog;
}
