/** Where somebody signs in with a token, and hears why it was not accepted. */
import { html } from 'hono/html';
import type { Html } from './html.ts';
import { visible } from './name-of.ts';

export function signInPage({ to, refused }: { to: string; refused?: string }): Html {
  return html`<section class="sign-in">
<p class="brand"><span class="mark" aria-hidden="true"></span>Holdback</p>
<h1>Sign in</h1>
<p class="muted">The merge gate whose cases the author never sees.</p>
${refused === undefined ? '' : html`<p class="notice bad" role="alert" id="refused">${visible(refused)}</p>`}
<form method="post" action="/ui/sign-in">
<input type="hidden" name="to" value="${to}">
<label for="token">Token</label>
<input id="token" name="token" type="password" required autocomplete="current-password" spellcheck="false" placeholder="hb_…" maxlength="4096"${
    refused === undefined ? '' : html` aria-invalid="true" aria-describedby="refused"`
  } autofocus>
<button class="primary">Sign in</button>
</form>
<details><summary>Where do I get a token?</summary>
<p>The service prints its first admin token when it starts for the first time. With it, make one for yourself:</p>
<pre class="command"><code>holdback token create --role lead --name "your name"</code></pre>
<p>Roles <b>author</b> and <b>lead</b> open these pages. Tokens for CI do not.</p></details>
</section>`;
}
