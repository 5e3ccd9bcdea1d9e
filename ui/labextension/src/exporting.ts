// An export that runs in a notebook's kernel, followed to its end: its steps as they are done, then what came of it.
import type { Kernel } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

import { run, Saying } from './kernel';
import { request, sentenceOf } from './request';
import type { ExportDone, ExportOrder, KernelCode } from './wire';

export interface Step {
  number: number;
  of: number;
  name: string;
  result: string;
  seconds: string;
}

export type State = 'waiting' | 'running' | 'done' | 'failed';

/** `3/6 check    valid; … (0.12 s)`, as `export` prints it. */
const STEP = /^(\d+)\/(\d+) (\S+) +(.*) \(([\d.]+ s)\)$/s;

export class Exporting {
  state: State = 'waiting';
  steps: Step[] = [];
  done: ExportDone | null = null;
  sentence = '';
  detail = '';
  output = '';
  isCancelling = false;

  constructor(
    readonly order: ExportOrder,
    private readonly kernel: Kernel.IKernelConnection
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isOver(): boolean {
    return this.state === 'done' || this.state === 'failed';
  }

  /** The kernel runs a cell, and comes to the export after it. */
  get isBehindCell(): boolean {
    return this.state === 'waiting' && this.kernel.status === 'busy';
  }

  async start(): Promise<void> {
    this.kernel.statusChanged.connect(this.onKernel, this);
    try {
      const { code } = await request<KernelCode>('exports/code', {
        method: 'POST',
        body: this.order
      });
      await run(this.kernel, code, {
        onSaying: saying => this.hear(saying),
        onOutput: text => {
          this.output += text;
          this._changed.emit();
        }
      });
      if (!this.isOver) {
        this.fail('The kernel ended the export without saying how; its output is below.');
      }
    } catch (error) {
      this.fail(sentenceOf(error));
    } finally {
      this.kernel.statusChanged.disconnect(this.onKernel, this);
    }
  }

  /** Interrupt the kernel, but only while it runs our step: never somebody's cell. */
  async cancel(): Promise<void> {
    this.isCancelling = true;
    this._changed.emit();
    if (this.state === 'running') {
      await this.kernel.interrupt();
    }
  }

  private hear(saying: Saying): void {
    switch (saying.say) {
      case 'began':
        this.state = 'running';
        if (this.isCancelling) {
          void this.kernel.interrupt();
        }
        break;
      case 'step':
        this.steps.push(stepOf(saying.line));
        break;
      case 'done':
        this.done = saying;
        this.state = 'done';
        break;
      case 'failed':
        this.fail(saying.sentence, saying.detail);
        break;
      case 'candidates':
      case 'environment':
        break;
    }
    this._changed.emit();
  }

  private fail(sentence: string, detail = ''): void {
    if (!this.isOver) {
      this.state = 'failed';
      this.sentence = sentence.charAt(0).toUpperCase() + sentence.slice(1);
      this.detail = detail;
      this._changed.emit();
    }
  }

  private onKernel(_: unknown, status: Kernel.Status): void {
    if (['restarting', 'autorestarting', 'terminating', 'dead'].includes(status)) {
      this.fail(
        'The kernel was restarted or ended, and the export with it. Nothing half is published.'
      );
    }
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
}

function stepOf(line: string): Step {
  const [, number, of, name, result, seconds] = STEP.exec(line) ?? [];
  return {
    number: Number(number ?? 0),
    of: Number(of ?? 0),
    name: name ?? '',
    result: result ?? line,
    seconds: seconds ?? ''
  };
}
