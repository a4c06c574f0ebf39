// The language server of this window: found, started, asked, and started again.

import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  ProgressType,
  State as ClientState,
  type ErrorHandler,
  type LanguageClientOptions,
  type Middleware,
} from "vscode-languageclient/node";
import { find } from "./find";
import { offerLog } from "./install";
import { configuration, machineArguments, ownText, windowSettings } from "./settings";
import { isRunning, type ServerStatus, type State } from "./state";
import { mismatch } from "./version";

const RESTARTS = 3; // in three minutes, before somebody has to look
const SELECTOR = ["file", "untitled", "vscode-notebook-cell"].map((scheme) => ({ scheme }));

/** Somebody stopped what was asked for. */
export class StoppedError extends Error {}

/** How something is asked: `onText` hears each piece of the answer. */
export interface How {
  onText?: (text: string) => void;
  token?: vscode.CancellationToken;
}

/** What happened, in words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private queue: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;
  private current: State = { kind: "stopped", message: "not started yet" };
  private readonly changes = new vscode.EventEmitter<State>();
  readonly onState = this.changes.event;

  /** `middleware` stands between VS Code and the server. */
  constructor(
    readonly log: vscode.LogOutputChannel,
    private readonly version: string,
    private readonly storage: string,
    private readonly middleware: Middleware,
  ) {}

  get state(): State {
    return this.current;
  }

  /** The client while it runs. */
  get running(): LanguageClient | undefined {
    return this.client?.isRunning() ? this.client : undefined;
  }

  /** Stop what runs, and start anew; of several that wait, one is enough. */
  restart(): Promise<void> {
    this.waiting ??= this.inTurn(async () => {
      this.waiting = undefined;
      await this.end();
      await this.begin();
    });
    return this.waiting;
  }

  stop(): Promise<void> {
    return this.inTurn(async () => {
      await this.end();
      this.become({ kind: "stopped", message: "stopped" });
    });
  }

  /** Wait until what was begun with the server is done, well or not. */
  settled(): Promise<void> {
    return this.queue;
  }

  dispose(): void {
    this.changes.dispose();
  }

  /**
   * Let the server carry out a command.
   *
   * Throws StoppedError where the token was cancelled and the server has nothing to say, else an
   * error whose message is for the user.
   */
  async execute<Result>(command: string, argument: object = {}, how: How = {}): Promise<Result> {
    const client = this.running;
    if (client === undefined) throw new Error(`the language server does not run: ${this.current.message}`);
    const token = randomUUID();
    const stream = how.onText && client.onProgress(new ProgressType<{ kind: string; text: string }>(), token, (value) => {
      if (value.kind === "delta") how.onText?.(value.text);
    });
    const given = how.onText ? { ...argument, token } : argument;
    try {
      const params = { command, arguments: [given] };
      const asked = how.token
        ? client.sendRequest(ExecuteCommandRequest.type, params, how.token)
        : client.sendRequest(ExecuteCommandRequest.type, params);
      return (await asked) as Result;
    } catch (error) {
      if (how.token?.isCancellationRequested) throw new StoppedError("stopped");
      throw this.running === undefined ? new Error("the language server has ended") : error;
    } finally {
      stream?.dispose();
    }
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.queue.then(work);
    this.queue = done.catch((error: unknown) => this.log.error(reasonOf(error)));
    return this.queue;
  }

  private become(state: State): void {
    this.current = state;
    void vscode.commands.executeCommand("setContext", "opencoder.running", isRunning(state.kind));
    this.changes.fire(state);
  }

  private async begin(): Promise<void> {
    if (!vscode.workspace.isTrusted) {
      return this.become({ kind: "untrusted", message: "off until you trust this workspace" });
    }
    if (process.platform === "win32") {
      return this.become({ kind: "missing", message: "Windows is not supported; open the folder in WSL" });
    }
    const given = ownText("server.path");
    const program = await find(given, this.storage);
    if (program === null) {
      const message = given ? `${given} (opencoder.server.path) is not there` : "opencoder-lsp is not installed";
      return this.become({ kind: "missing", message });
    }
    this.become({ kind: "starting", message: "starting" });
    const client = this.make(program);
    this.client = client;
    try {
      await client.start();
    } catch (error) {
      this.log.error(`starting ${program} failed: ${reasonOf(error)}`);
      return this.become({ kind: "stopped", message: `it did not start: ${reasonOf(error)}` });
    }
    this.check(client, program);
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    try {
      await client?.dispose();
    } catch (error) {
      this.log.warn(`stopping: ${reasonOf(error)}`); // it is gone all the same, or ends with us
    }
  }

  private make(program: string): LanguageClient {
    const inspect = (name: string) => configuration().inspect(name);
    const options: LanguageClientOptions = {
      documentSelector: SELECTOR,
      outputChannel: this.log,
      middleware: this.middleware,
      initializationOptions: { settings: windowSettings(inspect), statusNotifications: true },
      errorHandler: this.errorHandler(),
    };
    const executable = { command: program, args: machineArguments(inspect) };
    this.log.info(`starting ${program}`);
    const client = new LanguageClient("opencoder-lsp", "OpenCoder", executable, options);
    client.onNotification("opencoder/status", (status: ServerStatus) => {
      if (client === this.client) this.become(told(status));
    });
    client.onDidChangeState(({ newState }) => {
      if (client === this.client && newState === ClientState.Starting) {
        this.become({ kind: "starting", message: "starting" });
      }
    });
    return client;
  }

  private errorHandler(): ErrorHandler {
    const ends: number[] = [];
    return {
      error: () => ({ action: ErrorAction.Continue, handled: true }), // go on: what is wrong with the pipe, its end tells
      closed: () => {
        ends.push(Date.now());
        if (ends.filter((time) => Date.now() - time < 180_000).length <= RESTARTS) {
          this.become({ kind: "starting", message: "it has ended, and is started again" });
          return { action: CloseAction.Restart, handled: true };
        }
        const message = "the language server keeps ending";
        this.become({ kind: "stopped", message });
        void offerLog(`OpenCoder: ${message}. When its log has told you why, restart it.`, this.log);
        return { action: CloseAction.DoNotRestart, handled: true };
      },
    };
  }

  private check(client: LanguageClient, program: string): void {
    const problem = mismatch(client.initializeResult?.serverInfo, this.version);
    if (!problem) return;
    this.log.warn(`${program}: ${problem}`);
    const choices = ["Install", "Open Log"];
    void vscode.window.showWarningMessage(`OpenCoder: ${problem} (${program}).`, ...choices).then((chosen) => {
      if (chosen === "Install") void vscode.commands.executeCommand("opencoder.install");
      if (chosen === "Open Log") this.log.show();
    });
  }
}

function told(status: ServerStatus): State {
  const { kind, message, percent } = status;
  return percent === undefined || percent === null ? { kind, message } : { kind, message, percent };
}
