// One call of our routes on the notebook server, typed; what goes wrong is a CapacityProblem with its sentence.
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { LabProblem } from './wire';

export class CapacityProblem extends Error {
  constructor(
    sentence: string,
    /** The HTTP status; 0 where there was no answer. */
    readonly status: number,
    /** The notebook's cell, counted from 1, where the problem has such a place. */
    readonly cell: number | null = null,
    /** The dialog's field, by its name in the order, where the problem is one's value. */
    readonly field: string | null = null
  ) {
    super(sentence);
  }
}

export interface Call {
  method?: 'GET' | 'POST' | 'DELETE';
  query?: Record<string, string>;
  body?: object;
}

/** Call `/capacity/PATH`; an answer without content is `undefined`. */
export async function request<T>(path: string, call: Call = {}): Promise<T> {
  const settings = ServerConnection.makeSettings();
  const url = addressOf(path, call.query);
  const init: RequestInit = { method: call.method ?? 'GET', cache: 'no-store' };
  if (call.body !== undefined) {
    init.body = JSON.stringify(call.body);
  }
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch {
    throw new CapacityProblem('Your notebook server does not answer; it may be restarting.', 0);
  }
  const text = await response.text();
  if (!response.ok) {
    throw problemOf(response.status, text);
  }
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Where `/capacity/PATH` is on this notebook server. */
export function addressOf(path: string, query: Record<string, string> = {}): string {
  const { baseUrl } = ServerConnection.makeSettings();
  return URLExt.join(baseUrl, 'capacity', path) + URLExt.objectToQueryString(query);
}

/** The sentence of anything that was thrown. */
export function sentenceOf(error: unknown): string {
  const sentence = error instanceof Error ? error.message : String(error);
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** Read what our routes answer where something went wrong. */
export function problemOf(status: number, text: string): CapacityProblem {
  const problem = parsed(text);
  if (problem?.detail) {
    return new CapacityProblem(problem.detail, status, problem.cell ?? null, problem.field ?? null);
  }
  const sentence =
    status === 404
      ? 'This notebook server does not know the buttons: install jupyterhub-mesos in its environment.'
      : `Your notebook server answered ${status} without a reason; its log says why.`;
  return new CapacityProblem(sentence, status);
}

function parsed(text: string): Partial<LabProblem> | null {
  try {
    return JSON.parse(text) as Partial<LabProblem> | null;
  } catch {
    return null;
  }
}
