/** Draws the lines of a terminal as an SVG that needs nothing but a monospaced font. */
import type { Cell, Style } from './terminal.ts';

const colours = ['#6e7681', '#ff7b72', '#7ee787', '#d29922', '#79c0ff', '#d2a8ff', '#76e3ea', '#e6edf3'];
const cell = { width: 7.8, height: 17 };
const margin = 16;

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function attributes({ bold, dim, colour }: Style): string {
  const fill = colour === undefined ? (dim ? '#8b949e' : undefined) : colours[colour];
  return `${fill === undefined ? '' : ` fill="${fill}"`}${bold ? ' font-weight="bold"' : ''}`;
}

/** One run of equal style after the other; each begins at its own column, whatever the font's real width. */
function spans(line: readonly Cell[]): string {
  const runs: { start: number; style: Style; text: string }[] = [];
  for (const [column, { character, style }] of line.entries()) {
    const last = runs.at(-1);
    if (last && attributes(last.style) === attributes(style)) last.text += character;
    else runs.push({ start: column, style, text: character });
  }
  return runs
    .filter((run) => run.text.trim() !== '')
    .map((run) => {
      const x = (margin + run.start * cell.width).toFixed(1);
      const length = (run.text.length * cell.width).toFixed(1);
      return `<tspan x="${x}" textLength="${length}" lengthAdjust="spacingAndGlyphs"${attributes(run.style)}>${escape(run.text)}</tspan>`;
    })
    .join('');
}

export function drawTerminal(lines: readonly (readonly Cell[])[], title: string): string {
  const columns = Math.max(...lines.map((line) => line.length));
  const width = Math.ceil(columns * cell.width + 2 * margin);
  const height = lines.length * cell.height + 2 * margin;
  const rows = lines.map((line, index) =>
    line.length === 0 ? '' : `<text y="${margin + 12 + index * cell.height}">${spans(line)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">`,
    `<title>${escape(title)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`,
    `<g fill="#e6edf3" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" xml:space="preserve">`,
    ...rows.filter(Boolean),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}
