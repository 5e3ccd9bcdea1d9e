// The uploads on their way: how far each is, its cancel, and what went wrong.
import * as React from 'react';

import type { Lake } from './lake';
import type { LakeUpload } from './lakeUpload';
import { Action } from './panel';

export function Uploads({ lake }: { lake: Lake }): React.JSX.Element | null {
  return lake.uploads.length === 0 ? null : (
    <section aria-label="Uploads">
      <ul className="capacity-Lake-uploads">
        {lake.uploads.map(upload => (
          <UploadRow
            key={`${upload.source}/${upload.path}`}
            upload={upload}
            forget={() => lake.forget(upload)}
          />
        ))}
      </ul>
    </section>
  );
}

function UploadRow(props: { upload: LakeUpload; forget: () => void }): React.JSX.Element {
  const { upload, forget } = props;
  const { file, state, sentence, share } = upload;
  return (
    <li>
      <span className="capacity-Lake-name">{file.name}</span>
      {state === 'sending' ? (
        <>
          <progress max={1} value={share} aria-label={`Upload of ${file.name}`} />
          <Action label="Cancel" onPress={() => upload.cancel()} />
        </>
      ) : (
        <>
          <span role={state === 'failed' ? 'alert' : 'status'}>
            {state === 'failed' ? sentence : 'Cancelled: nothing of it was kept.'}
          </span>
          <Action label="Close" onPress={forget} />
        </>
      )}
    </li>
  );
}
