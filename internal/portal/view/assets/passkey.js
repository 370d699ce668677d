
// Passkeys, the one thing that needs JavaScript. This part follows app.js in the same module and uses its $ and element.
// Options come from our own origin; what the browser answers goes into a form (signing in) or back as JSON (adding).
const passkey = $('[data-passkey]');
if (passkey) {
  const can = isSecureContext && window.PublicKeyCredential && 'parseRequestOptionsFromJSON' in PublicKeyCredential && 'toJSON' in PublicKeyCredential.prototype;
  const said = $('#passkey-said'), form = passkey.closest('form'), button = $('[data-passkey-button]');
  const adding = passkey.dataset.passkey === 'create';
  let waiting; // the request behind the name field; only one may be open at a time

  const tell = (text) => {
    const words = element('span', 'grow', text);
    said.replaceChildren(element('div', 'note bad', words));
  };

  // The answer to a new passkey brings the session's new cookie; keepalive has the browser wait for it when the user
  // reloads or leaves the page meanwhile.
  const post = async (url, content) => {
    const answer = await fetch(url, {
      method: 'POST', cache: 'no-store', keepalive: true, body: JSON.stringify(content),
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    });
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    if (adding && (told.code === 'step_up_required' || told.code === 'reauth_required')) {
      location.assign(told.confirm_url || passkey.dataset.confirm);
      return new Promise(() => {}); // the page is leaving
    }
    throw Object.assign(new Error('refused'), { said: told.detail });
  };

  const begin = async () => {
    const options = await post(passkey.dataset.begin, {});
    return options.publicKey ?? options;
  };

  // Cancelled and "could not check that it is you" look alike to a page, so one text has to fit both.
  const explain = (error) => {
    const words = passkey.dataset;
    if (error.said) return error.said;
    return { NotAllowedError: words.closed, AbortError: words.closed, InvalidStateError: words.exists,
      NotSupportedError: words.unsupported, SecurityError: words.unsupported }[error.name] ?? words.broken;
  };

  const signIn = (credential) => {
    form.elements.passkey.value = JSON.stringify(credential);
    form.submit(); // not requestSubmit: name and password are not needed
  };

  const ask = async () => {
    said.replaceChildren();
    waiting?.abort();
    button.classList.add('busy');
    try {
      const options = await begin();
      if (adding) {
        const made = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
        const kept = await post(passkey.dataset.finish, made);
        const to = new URL(passkey.dataset.done, location.href);
        if (kept.id) to.searchParams.set('added', kept.id);
        location.assign(to);
      } else {
        signIn(await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }));
      }
    } catch (error) {
      button.classList.remove('busy');
      tell(explain(error));
      if (passkey.hasAttribute('data-conditional')) offer();
    }
  };

  // The browser lists passkeys in the name field. A challenge lives five minutes, so it is renewed before.
  const offer = async () => {
    if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
    for (;;) {
      const mine = waiting = new AbortController();
      let renewed = false;
      const timer = setTimeout(() => { renewed = true; mine.abort(); }, 270000);
      try {
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await begin());
        if (mine.signal.aborted) throw new Error('too late');
        signIn(await navigator.credentials.get({ mediation: 'conditional', signal: mine.signal, publicKey }));
        return;
      } catch {
        if (!renewed) return; // the button was pressed, or there is no network: the form works as before
      } finally {
        clearTimeout(timer);
      }
    }
  };

  if (can) {
    button.hidden = false;
    const press = (event) => { event.preventDefault(); ask(); };
    if (button.type === 'submit') form.addEventListener('submit', press);
    else button.addEventListener('click', press);
    if (passkey.hasAttribute('data-conditional')) {
      passkey.hidden = false;
      offer();
    }
  } else if (!passkey.hasAttribute('data-conditional')) {
    tell(passkey.dataset.unsupported);
  }
}

// Passkeys that are gone or renamed here should not be offered by the browser any more.
const signal = $('[data-signal]');
if (signal && window.PublicKeyCredential) {
  const { rpId, userId, allAcceptedCredentialIds, credentialId } = JSON.parse(signal.dataset.signal);
  const heard = credentialId
    ? PublicKeyCredential.signalUnknownCredential?.({ rpId, credentialId })
    : PublicKeyCredential.signalAllAcceptedCredentials?.({ rpId, userId, allAcceptedCredentialIds });
  heard?.catch(() => {});
}
