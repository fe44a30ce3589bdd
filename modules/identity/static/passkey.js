// Asks the browser for a passkey and sends its answer with the form. Without this
// script the form stays hidden and people type a code.
(function () {
  'use strict';
  var form = document.getElementById('passkey');
  if (!form || !window.PublicKeyCredential || !navigator.credentials) { return; }
  function bytes(text) {
    var raw = atob(text.replace(/-/g, '+').replace(/_/g, '/')), out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) { out[i] = raw.charCodeAt(i); }
    return out;
  }
  function text(buffer) {
    return btoa(String.fromCharCode.apply(null, new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  }
  function ids(list) {
    (list || []).forEach(function (one) { one.id = bytes(one.id); });
  }
  var wanted = JSON.parse(form.getAttribute('data-options')).publicKey;
  wanted.challenge = bytes(wanted.challenge);
  ids(wanted.allowCredentials);
  ids(wanted.excludeCredentials);
  if (wanted.user) { wanted.user.id = bytes(wanted.user.id); }
  form.hidden = false;
  form.addEventListener('submit', function (event) {
    if (form.elements.credential.value) { return; }
    event.preventDefault();
    var asked = wanted.user ? navigator.credentials.create({publicKey: wanted}) : navigator.credentials.get({publicKey: wanted});
    asked.then(function (found) {
      var response = {};
      ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'].forEach(function (name) {
        if (found.response[name]) { response[name] = text(found.response[name]); }
      });
      form.elements.credential.value = JSON.stringify({id: found.id, rawId: text(found.rawId), type: found.type, response: response});
      form.submit();
    }, function () {
      document.getElementById('passkey-failed').hidden = false;
    });
  });
}());
