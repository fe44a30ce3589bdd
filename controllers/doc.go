// Package controllers holds one thin reconciler a kind. Each looks at the world (a snapshot,
// read live), decides one next step by a pure function, does it, reports, and looks again.
package controllers
