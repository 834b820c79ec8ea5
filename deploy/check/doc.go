// Package check holds the manifests against the programs that read them: Helm's own engine renders the chart, and promtool
// checks the rules. It is a module of its own, since both bring a great deal along that the command does not need.
package check
