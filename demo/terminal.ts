/** As much of a terminal as the demo needs: text, line ends, carriage returns, erasing, bold, dim and colours. */

export interface Style {
  readonly bold: boolean;
  readonly dim: boolean;
  /** Of the eight colours; undefined: the terminal's own. */
  readonly colour: number | undefined;
}

export interface Cell {
  readonly character: string;
  readonly style: Style;
}

const plain: Style = { bold: false, dim: false, colour: undefined };

function restyle(style: Style, code: number): Style {
  if (code === 0) return plain;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code >= 30 && code <= 37) return { ...style, colour: code - 30 };
  if (code === 39) return { ...style, colour: undefined };
  return style;
}

/** The lines that stand on the screen once everything was written. */
export function screenLines(output: string): Cell[][] {
  const lines: Cell[][] = [[]];
  let style = plain;
  let column = 0;
  // oxlint-disable-next-line no-control-regex -- a terminal's output is made of them
  for (const [token, parameters, final] of output.matchAll(/\u001b\[([0-9;?]*)([A-Za-z])|[^\u001b]|\u001b/gu)) {
    const line = lines.at(-1) ?? [];
    if (final === 'm') for (const code of (parameters ?? '').split(';')) style = restyle(style, Number(code));
    else if (final === 'K') line.length = parameters === '2' ? 0 : Math.min(line.length, column);
    else if (token === '\r') column = 0;
    else if (token === '\n') {
      lines.push([]);
      column = 0;
    } else if (final === undefined && token >= ' ') {
      while (line.length < column) line.push({ character: ' ', style: plain });
      line[column] = { character: token, style };
      column += 1;
    }
  }
  return lines;
}

export function lineText(line: readonly Cell[]): string {
  return line.map((cell) => cell.character).join('');
}
