/**
 * The little XML that S3 speaks: elements without attributes that matter, texts, no mixed content.
 * A parser for all of XML would be the largest thing that a listing loads.
 */

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Text of an element with its entities resolved. */
function unescape(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d+)|#x([\da-fA-F]+)|(\w+));/g, (whole, decimal, hex, name) => {
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    // NaN, where the entity has a name, is not above.
    if (code > 0x10ffff) return whole;
    if (!Number.isNaN(code)) return String.fromCodePoint(code);
    return entities[String(name)] ?? whole;
  });
}

/** Contents of each element of that name, as they stand. S3 never nests an element in one of its own name. */
export function elements(xml: string, name: string): string[] {
  const found: string[] = [];
  const open = `<${name}`;
  const close = `</${name}>`;
  for (let at = xml.indexOf(open); at !== -1; at = xml.indexOf(open, at)) {
    const end = xml.indexOf('>', at);
    // <Key> and not <KeyCount>
    if (end === -1 || !/[\s>/]/.test(xml.charAt(at + open.length))) {
      at += open.length;
      continue;
    }
    if (xml.charAt(end - 1) === '/') {
      found.push('');
      at = end;
      continue;
    }
    const stop = xml.indexOf(close, end);
    if (stop === -1) break;
    found.push(xml.slice(end + 1, stop));
    at = stop;
  }
  return found;
}

/** Text of the first element of that name; undefined: there is none. */
export function textOf(xml: string, name: string): string | undefined {
  const [first] = elements(xml, name);
  return first === undefined ? undefined : unescape(first);
}

/** Text as it may stand in an element. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => (sign === '&' ? '&amp;' : sign === '<' ? '&lt;' : sign === '>' ? '&gt;' : '&quot;'));
}
