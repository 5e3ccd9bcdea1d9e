// What a notebook's kernel has that may be a model, rows or labels; asked without leaving anything in the notebook.
import type { Kernel } from '@jupyterlab/services';

import { run } from './kernel';
import { request } from './request';
import type { Candidates, KernelCode, ModelObject, TableObject } from './wire';

export async function candidatesOf(kernel: Kernel.IKernelConnection): Promise<Candidates> {
  const { code } = await request<KernelCode>('candidates/code');
  let found: Candidates | null = null;
  await run(kernel, code, {
    onSaying: saying => {
      if (saying.say === 'candidates') {
        found = saying;
      }
    }
  });
  if (found === null) {
    throw new Error('The kernel did not say what it has; it may have been interrupted.');
  }
  return found;
}

/** Tables whose rows the model takes; all with columns where it does not say. */
export function rowsFor(model: ModelObject, tables: readonly TableObject[]): TableObject[] {
  const wide = tables.filter(table => table.shape.length >= 2);
  return model.features === null ? wide : wide.filter(table => table.shape[1] === model.features);
}

/** The column that is as long as the rows and named most like them. */
export function labelsFor(rows: TableObject, tables: readonly TableObject[]): TableObject | null {
  const fitting = tables.filter(
    table =>
      table.shape.length === 1 && table.shape[0] === rows.shape[0] && !/bool/.test(table.dtype)
  );
  const hint = /test|held|valid|train/i.exec(rows.name)?.[0];
  const alike = hint === undefined ? undefined : named(fitting, new RegExp(hint, 'i'));
  return alike ?? fitting.at(-1) ?? null;
}

export function named(tables: readonly TableObject[], pattern: RegExp): TableObject | undefined {
  return tables.find(table => pattern.test(table.name));
}

/** `test_images: 360 × 64 float32` */
export function tableLabel(table: TableObject): string {
  return `${table.name}: ${table.shape.join(' × ')} ${table.dtype}`;
}
