// Pages that the server makes itself: small, without scripts (but for a form that sends itself), light and dark, readable without the page's assets.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/** Text that is already safe HTML. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Template tag: interpolated values are escaped, unless they are Html; lists are joined. */
export function html(parts: TemplateStringsArray, ...values: unknown[]): Html {
  const put = (value: unknown): string => {
    if (value instanceof Html) return value.text;
    if (Array.isArray(value)) return value.map(put).join('');
    if (value === undefined || value === null || value === false) return '';
    return String(value as string | number).replace(/[&<>"']/g, (sign) => escapes[sign]!);
  };
  return new Html(parts.reduce((text, part, index) => text + put(values[index - 1]) + part));
}

const style = `
:root{color-scheme:light dark;--ink:#1c2126;--dim:#545d66;--paper:#f6f8f9;--card:#fff;--line:#d5dbe0;--teal:#0b7285;--on:#fff;--bad:#c92a2a}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaed;--dim:#a6b0b8;--paper:#14181b;--card:#1e2327;--line:#384047;--teal:#22b8cf;--on:#0b1416;--bad:#ff8787}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
header{padding:16px 24px;font-weight:650}header a{color:inherit;text-decoration:none}
main{max-width:560px;margin:6vh auto 48px;padding:32px;background:var(--card);border:1px solid var(--line);border-radius:8px}
h1{font-size:24px;line-height:1.25;margin:0 0 16px}p{margin:0 0 16px}small,.dim{color:var(--dim)}
a{color:var(--teal)}label{display:block;font-weight:600;margin:0 0 4px}
input{width:100%;padding:10px 12px;margin:0 0 16px;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--dim);border-radius:4px}
.button,button{display:inline-block;padding:10px 20px;font:inherit;font-weight:600;color:var(--on);background:var(--teal);border:0;border-radius:4px;text-decoration:none;cursor:pointer}
:focus-visible{outline:3px solid var(--teal);outline-offset:2px}
.bad{color:var(--bad);font-weight:600}pre{overflow:auto;padding:12px;background:var(--paper);border:1px solid var(--line);border-radius:4px;font-size:13px}
@media(max-width:600px){main{margin:0;border-width:1px 0;border-radius:0;padding:24px 16px}}`;

const styleTag = new Html(`<style>${style}</style>`);
const styleHash = createHash('sha256').update(style).digest('base64');

export interface Page {
  status: number;
  title: string;
  body: Html;
  /** Seconds after which the browser asks again. */
  refreshSeconds?: number;
  headers?: Record<string, string | string[]>;
  /** Where the product mark leads; the portal. */
  home: string;
  /** Origins that the page's form may lead to. */
  formTargets?: string[];
  /** The page's form is sent without a click; where scripts are off its button is there. */
  submitsItself?: boolean;
}

const submit = 'document.forms[0].submit()';
const submitTag = new Html(`<script>${submit}</script>`);
const submitHash = createHash('sha256').update(submit).digest('base64');

export interface RenderedPage {
  status: number;
  headers: Record<string, string | string[]>;
  text: string;
}

/** @returns a page with its own strict policy */
export function renderPage(page: Page): RenderedPage {
  const refresh =
    page.refreshSeconds === undefined ? '' : `<meta http-equiv="refresh" content="${page.refreshSeconds}">`;
  const text = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <title>${page.title} - Linkspan</title>
        ${new Html(refresh)}
        ${styleTag}
      </head>
      <body>
        <header><a href="${page.home}">Linkspan</a></header>
        <main>${page.body}</main>
        ${page.submitsItself === true ? submitTag : ''}
      </body>
    </html> `.text;
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(text)),
    'Cache-Control': 'no-store',
    'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${styleHash}'${page.submitsItself === true ? `; script-src 'sha256-${submitHash}'` : ''}; form-action 'self'${(page.formTargets ?? []).map((target) => ` ${target}`).join('')}; frame-ancestors 'none'; base-uri 'none'`,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
    ...page.headers,
  };
  return { status: page.status, headers, text };
}

export function sendPage(response: ServerResponse, page: Page): void {
  const { status, headers, text } = renderPage(page);
  response.writeHead(status, headers);
  response.end(text);
}
