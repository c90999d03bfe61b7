/** The URL that `text` is, null if it is none. */
export function urlOf(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

/**
 * A URL as it may stand in an error or a log: without user name, password, query and fragment, which
 * may hold keys. A URL without a scheme comes back as its path, other text as `(no URL)`.
 */
export function maskedUrl(url: string): string {
  const parsed = urlOf(url);
  if (parsed === null) return url.startsWith('/') ? maskedPath(url) : '(no URL)';
  const query = parsed.search === '' ? '' : '?…';
  return `${parsed.protocol}//${parsed.host}${shortened(parsed.pathname)}${query}`;
}

function maskedPath(url: string): string {
  const [path = ''] = url.split(/[?#]/, 1);
  return shortened(path) + (path.length < url.length ? '?…' : '');
}

function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
