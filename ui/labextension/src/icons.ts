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

/** Boxes in a row, each led to by the one before. */
export const pipelineIcon = new LabIcon({
  name: 'capacity:pipeline',
  svgstr: svg('M2 9h5v6H2zm7.5 0h5v6h-5zM17 9h5v6h-5zM7 11.4h2.5v1.2H7zm7.5 0H17v1.2h-2.5z')
});

/** A basin with its water lines. */
export const lakeIcon = new LabIcon({
  name: 'capacity:lake',
  svgstr: svg(
    'M12 3C7 3 3 4.6 3 6.5v11C3 19.4 7 21 12 21s9-1.6 9-3.5v-11C21 4.6 17 3 12 3zm0 2c4.3 0 7 1.1 7 1.5S16.3 8 12 8 5 6.9 5 6.5 7.700 5 12 5zM5 8.9C6.6 9.6 9.1 10 12 10s5.4-.4 7-1.1V12c0 .4-2.700 1.5-7 1.5S5 12.4 5 12zm0 5.5c1.6.7 4.1 1.1 7 1.1s5.4-.4 7-1.1v3.1c0 .4-2.700 1.5-7 1.5s-7-1.1-7-1.5z'
  )
});
