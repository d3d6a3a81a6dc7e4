// Package deploy tries what scripts/image and scripts/deploy make against what it is made for: container engines and
// their tools, Kubernetes' own types, and the package managers.
//
// It holds tests only. They build everything once, into a directory of their own, from a copy of the source. Those that
// run containers need an engine that answers ('docker version'), and skip with its words if none does; those that ask
// another program skip if that is missing. Containers, images, volumes and networks that they make are named hbj-test-…,
// and are removed again.
package deploy
