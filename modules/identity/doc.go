// Package identity lets people sign in: accounts, second factors, sessions,
// roles, and an OpenID Connect provider (github.com/zitadel/oidc) for the other
// modules.
//
// # What a relying party does
//
// A module is a client by configuration (Settings.Clients). It uses the
// authorisation code flow with PKCE by S256; nothing else is served. It calls the
// token, introspection and revocation endpoints inside the tenant, at
// identity.<namespace>.svc:8443 with the issuer's host and path, and shows its own
// certificate there, which is how it proves who it is (RFC 8705); a client
// elsewhere signs an assertion (private_key_jwt) or is public. There are no shared
// passwords. It checks tokens by the keys of the issuer (ES256) and needs no
// question for each request.
//
// ID and access tokens last five minutes and say "sub" (the person), "sid" (the
// session), "name", "amr" (with "mfa" after a second factor) and
// "ejustice_grants": [{"role", "court", "until", "for"}], of which the last three
// may be absent. A staff role is never there without "mfa". A refresh token
// (scope offline_access) is used once; when one comes a second time, or a code
// does, the session ends. A module refreshes while its person is at work: that
// also keeps the session from ending by disuse.
//
// # How it learns that a session ended
//
// Signing out, an administrator, a changed role or a stolen token ends a session
// for everybody at once. A relying party follows
//
//	GET <issuer>/api/v1/sessions/ended?after=<next>&wait=25
//
// with its certificate (openapi.json): the answer comes within a second of the
// next end and names its "sid". It keeps the sids of one token's life and refuses
// what carries them. If it has had no answer for longer than it may trust what it
// knows (say 30 seconds beyond wait), it asks the introspection endpoint for each
// request, or refuses. Without any of it the five minutes of a token are the limit.
//
// # Two administrators
//
// Giving or taking a staff role, opening a shut staff account and recovering an
// account take two different administrators, neither of them the person it is
// about; the database refuses anything else. Of a recovery's one-time credential
// each of the two sees one half. The first administrator of all may appoint the
// second one alone, once. The first one's own credential is in Vault, at
// <mount>/kv/data/<module>/first-administrator, for which the module's policy must
// have "create" beside "read"; it is replaced at the first sign-in.
//
// # Files
//
//	app.go            how the parts fit together
//	settings.go       what the ministry configures
//	clientsettings.go of it: relying parties
//	text.go           how names, codes and passwords are cleaned
//	hash.go           how passwords are hashed
//	throttle.go       how attempts are counted and paused
//	seal.go           how secrets are encrypted in the database
//	person.go         accounts, passwords, one-time credentials
//	role.go           roles and who may give them
//	totp.go           second factors and recovery codes
//	session.go        sessions with this provider
//	first.go          the first administrator
//	openid.go         the protocol's routes
//	client.go         relying parties and their proof
//	authrequest.go    requests and codes
//	token.go          access and refresh tokens
//	claims.go         what tokens say
//	signing.go        the keys that sign them
//	ended.go          how relying parties follow the ends of sessions
//	browser.go        cookies, form tokens, who asks for a page
//	form.go           pages with forms
//	signin.go         the steps of a sign-in
//	factor.go         the pages of the second factor
//	password.go       the pages of passwords
//	passkey.go        passkeys, an enhancement: codes stay
//	passkeypages.go   their pages and their script, static/passkey.js
//	account.go        one's own account and sessions
//	change.go         what administrators ask for, and who may
//	decide.go         what another approves, and how it is carried out
//	people.go         the list of accounts
//	personpages.go    one account
//	waiting.go        what waits for a second administrator
package identity
