// What the panels that follow something share: a head with the state, and the notice of what went wrong.
import { LabIcon, ReactWidget } from '@jupyterlab/ui-components';
import { ISignal } from '@lumino/signaling';
import * as React from 'react';

import type { Tone } from './words';

export interface Followed {
  readonly changed: ISignal<unknown, void>;
}

/** Redraws itself whenever what it follows has changed. */
export abstract class FollowingPanel<T extends Followed> extends ReactWidget {
  constructor(
    readonly followed: T,
    icon: LabIcon,
    label: string
  ) {
    super();
    this.addClass('capacity-Panel');
    this.title.icon = icon;
    this.title.label = label;
    followed.changed.connect(() => this.update());
  }
}

interface HeadProps {
  title: string;
  word: string;
  tone: Tone;
  children?: React.ReactNode;
}

export function Head({ title, word, tone, children }: HeadProps): React.JSX.Element {
  return (
    <header>
      <h2>{title}</h2>
      <span className={`capacity-State capacity-mod-${tone}`} role="status">
        {word}
      </span>
      <span className="capacity-Panel-actions">{children}</span>
    </header>
  );
}

export function Notice({ text, tone }: { text: string; tone: Tone }): React.JSX.Element | null {
  return text === '' ? null : (
    <p
      className={`capacity-Notice capacity-mod-${tone}`}
      role={tone === 'bad' ? 'alert' : undefined}
    >
      {text}
    </p>
  );
}

export function Action(props: {
  label: string;
  onPress: () => void;
  isDisabled?: boolean;
  isMain?: boolean;
}): React.JSX.Element {
  return (
    <button
      type="button"
      className={`jp-mod-styled${props.isMain ? ' jp-mod-accept' : ''}`}
      disabled={props.isDisabled ?? false}
      onClick={props.onPress}
    >
      {props.label}
    </button>
  );
}
