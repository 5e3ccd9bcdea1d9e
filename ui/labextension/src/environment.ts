// Which Python a notebook's kernel runs, so that what is submitted runs in the same.
import type { Kernel } from '@jupyterlab/services';

import { run } from './kernel';
import { request } from './request';
import type { Environment, KernelCode, KernelEnvironment } from './wire';

/** What one dialog knows of its notebook's kernel; nothing where there is none. */
export class KernelSide {
  found: KernelEnvironment | null = null;

  constructor(
    private readonly kernel: Kernel.IKernelConnection | null,
    private readonly path: string
  ) {
    this.isBusy = kernel?.status === 'busy';
  }

  /** Ask, and wait for the answer where that takes no longer than a moment: a cell that runs comes first. */
  async ask(onLate: () => void): Promise<void> {
    if (this.kernel === null) {
      return;
    }
    const { code } = await request<KernelCode>('environment/code', { query: { path: this.path } });
    const answer = run(this.kernel, code, {
      onSaying: saying => {
        if (saying.say === 'environment') {
          this.found = saying;
        }
      }
    });
    if (this.isBusy) {
      void answer.then(onLate, () => undefined); // interrupted or gone: as if it had not been asked
    } else {
      await answer;
    }
  }

  get environment(): Environment | null {
    return this.found?.environment ?? null;
  }

  /** For the server's look at the notebook: the modules that the kernel lacks. */
  get query(): Record<string, string> {
    return this.found === null ? {} : { missing: this.found.missing.join(',') };
  }

  /** What the dialog says of it. */
  get sentence(): string {
    if (this.found !== null) {
      const { python, packages } = this.found.environment;
      return `It runs in the Python of this notebook’s kernel: ${python} with ${packages.length} packages.`;
    }
    return this.isBusy
      ? 'The kernel is busy and has not said yet which Python it runs: what is sent before runs in the node’s own.'
      : 'No kernel is running, so it runs in the node’s own Python.';
  }

  private readonly isBusy: boolean;
}
