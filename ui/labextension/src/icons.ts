// The buttons' and panels' icons; `jp-icon3` takes the theme's colour.
import { LabIcon } from '@jupyterlab/ui-components';

const svg = (path: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16"><path class="jp-icon3" fill="#616161" d="${path}"/></svg>`;

/** A curve that rises. */
export const jobIcon = new LabIcon({
  name: 'capacity:train',
  svgstr: svg('M3 3h2v16h16v2H3zm17.3 3.3 1.4 1.4-6.7 6.7-4-4-3.3 3.3-1.4-1.4L11 7.6l4 4z')
});

/** A box that something leaves upwards. */
export const exportIcon = new LabIcon({
  name: 'capacity:export',
  svgstr: svg('M12 2 6.5 7.5l1.4 1.4L11 5.8V15h2V5.8l3.1 3.1 1.4-1.4zM5 11H3v10h18V11h-2v8H5z')
});
