// Programs run in a notebook's kernel without leaving anything in the notebook; what they say comes back typed.
import type { Kernel, KernelMessage } from '@jupyterlab/services';

import type {
  Candidates,
  ExportBegan,
  ExportDone,
  ExportFailed,
  ExportStep,
  KernelEnvironment
} from './wire';

export type Saying =
  | Candidates
  | KernelEnvironment
  | ExportBegan
  | ExportStep
  | ExportDone
  | ExportFailed;

export interface Ears {
  onSaying: (saying: Saying) => void;
  /** What anybody else printed meanwhile: warnings, mostly. */
  onOutput?: (text: string) => void;
}

const RECORD_SEPARATOR = '\x1e';

/** Run a program; resolves when it has ended, rejects with what it raised or when the kernel is gone. */
export async function run(
  kernel: Kernel.IKernelConnection,
  code: string,
  ears: Ears
): Promise<void> {
  const future = kernel.requestExecute({
    code,
    allow_stdin: false,
    silent: false,
    stop_on_error: false,
    store_history: false
  });
  const lines = new Lines(ears);
  future.onIOPub = message => lines.take(message);
  const { content } = await future.done;
  if (content.status === 'error') {
    throw new Error(`${content.ename}: ${content.evalue}`);
  }
  if (content.status !== 'ok') {
    throw new Error('the kernel did not run it: a cell before it failed or was interrupted');
  }
}

/** Puts the pieces of a stream together again, line by line. */
class Lines {
  constructor(private readonly ears: Ears) {}

  take(message: KernelMessage.IIOPubMessage): void {
    if (message.header.msg_type !== 'stream') {
      return;
    }
    const { name, text } = (message as KernelMessage.IStreamMsg).content;
    if (name !== 'stdout') {
      this.ears.onOutput?.(text);
      return;
    }
    const lines = (this._rest + text).split('\n');
    this._rest = lines.pop() ?? '';
    lines.forEach(line => this.hear(line));
  }

  private hear(line: string): void {
    const at = line.indexOf(RECORD_SEPARATOR);
    if (at < 0) {
      this.ears.onOutput?.(`${line}\n`);
    } else {
      this.ears.onSaying(JSON.parse(line.slice(at + 1)) as Saying);
    }
  }

  private _rest = '';
}
