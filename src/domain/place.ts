/** Whether a path can be the directory of a local storage: docker's -v argument is split by a colon, and a control character would forge a line of a report. */
export function isAbsolutePlace(path: string): boolean {
  return path.startsWith('/') && path.replaceAll('/', '') !== '' && !path.split('/').includes('..') && !/[:,\p{Cc}]/u.test(path);
}
