// Follows an export in the kernel: each step with its result, then the version that was pushed, or why there is none.
import * as React from 'react';

import type { Exporting, State, Step } from './exporting';
import { exportIcon } from './icons';
import { Action, FollowingPanel, Head, Notice } from './panel';
import type { ExportDone } from './wire';
import { short, Said } from './words';

const STATES: Record<State, Said> = {
  waiting: { word: 'Waiting', tone: 'waiting' },
  running: { word: 'Running', tone: 'running' },
  done: { word: 'Pushed', tone: 'good' },
  failed: { word: 'Not exported', tone: 'bad' }
};

export class ExportPanel extends FollowingPanel<Exporting> {
  constructor(
    exporting: Exporting,
    private readonly serve: (done: ExportDone) => void
  ) {
    super(exporting, exportIcon, `Export ${exporting.order.name}`);
    this.title.closable = true;
  }

  protected render(): React.JSX.Element {
    const { order, state, sentence, detail, done, steps, output, isBehindCell } = this.followed;
    return (
      <>
        <Head title={`${order.model} as ${order.name}`} {...STATES[state]}>
          {!this.followed.isOver && (
            <Action
              label="Cancel"
              isDisabled={this.followed.isCancelling}
              onPress={() => this.followed.cancel()}
            />
          )}
        </Head>
        <Notice
          text={isBehindCell ? 'The kernel is busy with a cell; the export comes after it.' : ''}
          tone="waiting"
        />
        <Steps steps={steps} isRunning={state === 'running'} />
        <Notice text={sentence} tone="bad" />
        {done !== null && <Result done={done} serve={this.serve} />}
        {detail !== '' && <Output summary="Traceback" text={detail} />}
        {output.trim() !== '' && <Output summary="What else was printed" text={output} />}
      </>
    );
  }
}

function Steps({ steps, isRunning }: { steps: Step[]; isRunning: boolean }): React.JSX.Element {
  const last = steps.at(-1);
  const isMore = isRunning && (last === undefined || last.number < last.of);
  return (
    <ol className="capacity-Steps" aria-live="polite">
      {steps.map((step, at) => (
        <li key={at}>
          <span aria-hidden="true">✓</span>
          <strong>{step.name}</strong>
          <span>{step.result}</span>
          <span className="capacity-Form-help">{step.seconds}</span>
        </li>
      ))}
      {isMore && (
        <li className="capacity-mod-pending">
          <span aria-hidden="true">…</span>
          <strong>
            step {(last?.number ?? 0) + 1}
            {last === undefined ? '' : ` of ${last.of}`}
          </strong>
          <span>running</span>
        </li>
      )}
    </ol>
  );
}

interface ResultProps {
  done: ExportDone;
  serve: (done: ExportDone) => void;
}

function Result({ done, serve }: ResultProps): React.JSX.Element {
  const metrics = Object.entries(done.metrics).map(([name, value]) => `${name} ${short(value)}`);
  return (
    <div className="capacity-Notice capacity-mod-good" role="status">
      <p>
        <strong>{done.ref}</strong> is in {done.remote} and can be served.
      </p>
      {metrics.length > 0 && <p>{metrics.join(', ')}</p>}
      <p className="capacity-Form-help">
        Commit {done.commit.slice(0, 12)}; a copy is in {done.directory}.
      </p>
      <Action label="Serve it" isMain onPress={() => serve(done)} />
    </div>
  );
}

function Output({ summary, text }: { summary: string; text: string }): React.JSX.Element {
  return (
    <details>
      <summary>{summary}</summary>
      <pre className="capacity-Log" tabIndex={0} aria-label={summary}>
        {text}
      </pre>
    </details>
  );
}
