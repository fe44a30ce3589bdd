// Package residency answers where what a tenant has truly lies: which storage classes are at
// home, and an inventory of every pod, database instance and volume with its place. It goes by
// the label ejustice.dev/jurisdiction of nodes and storage classes; what cannot be placed
// counts as abroad. The functions are pure.
package residency
