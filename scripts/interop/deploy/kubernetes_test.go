package deploy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const kubernetesDir = repoRoot + "/scripts/deploy/kubernetes"

// What the variants hold, by kind and name.
var objects = map[string][]string{
	"central": {"Namespace hbjournal", "Service hbjournal", "Service hbjournal-pods", "StatefulSet hbjournal"},
	"node":    {"Namespace hbjournal-node", "DaemonSet hbjournal"},
	"fleet": {
		"Namespace hbjournal-fleet", "ConfigMap nats", "Secret nats-users", "Service nats", "StatefulSet nats", "Job init",
		"Service receiver", "StatefulSet receiver", "Service archive", "StatefulSet archive",
	},
}

// newObject returns an empty object of a kind that the manifests may hold.
func newObject(kind string) any {
	switch kind {
	case "apps/v1 StatefulSet":
		return &apps.StatefulSet{}
	case "apps/v1 DaemonSet":
		return &apps.DaemonSet{}
	case "batch/v1 Job":
		return &batch.Job{}
	case "v1 ConfigMap":
		return &core.ConfigMap{}
	case "v1 Secret":
		return &core.Secret{}
	case "v1 Service":
		return &core.Service{}
	case "v1 Namespace":
		return &core.Namespace{}
	}
	return nil
}

// decodeStrictly decodes every document of b into Kubernetes' own types, by "Kind name". An unknown field is an error.
func decodeStrictly(b []byte) (map[string]any, error) {
	all := map[string]any{}
	for document := range bytes.SplitSeq(b, []byte("\n---\n")) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal(document, &head); err != nil {
			return nil, err
		}
		object := newObject(head.APIVersion + " " + head.Kind)
		if object == nil {
			return nil, fmt.Errorf("got a %s %s, want a kind that is used here", head.APIVersion, head.Kind)
		}
		if err := yaml.UnmarshalStrict(document, object); err != nil {
			return nil, fmt.Errorf("%s %s: %w", head.Kind, head.Metadata.Name, err)
		}
		all[head.Kind+" "+head.Metadata.Name] = object
	}
	return all, nil
}

func TestManifestsAreKubernetesOwnTypesToTheField(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob(kubernetesDir + "/*/*.yaml")
	if err != nil || len(paths) < 12 {
		t.Fatalf("got manifests %v, %v, want those of all variants", paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) == "kustomization.yaml" {
			err = yaml.UnmarshalStrict(b, &types.Kustomization{})
		} else {
			_, err = decodeStrictly(b)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	typo := "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {publishNotReadyAdresses: true}\n"
	if _, err := decodeStrictly([]byte(typo)); err == nil {
		t.Error("got no error for a field that is spelled wrong, want one")
	}
}

// render returns what 'kubectl apply -k' would apply, decoded.
func render(t *testing.T, variant string) map[string]any {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(kubernetesDir, variant))
	if err != nil {
		t.Fatal(err)
	}
	b, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	all, err := decodeStrictly(bytes.TrimSpace(b))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKustomizeRendersAllVariants(t *testing.T) {
	t.Parallel()
	for variant, want := range objects {
		var got []string
		for name := range render(t, variant) {
			got = append(got, name)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got objects %v, want %v", variant, got, want)
		}
	}
}

// pods are the templates of all variants that run the daemon or the archive.
func pods(t *testing.T) map[string]core.PodTemplateSpec {
	t.Helper()
	central := render(t, "central")["StatefulSet hbjournal"].(*apps.StatefulSet)
	node := render(t, "node")["DaemonSet hbjournal"].(*apps.DaemonSet)
	fleet := render(t, "fleet")
	return map[string]core.PodTemplateSpec{
		"central": central.Spec.Template, "node": node.Spec.Template,
		"receiver": fleet["StatefulSet receiver"].(*apps.StatefulSet).Spec.Template,
		"archive":  fleet["StatefulSet archive"].(*apps.StatefulSet).Spec.Template,
	}
}

func TestPodsHaveNoMoreRightsThanTheyNeed(t *testing.T) {
	t.Parallel()
	for variant, pod := range pods(t) {
		t.Run(variant, func(t *testing.T) {
			s, c := pod.Spec.SecurityContext, pod.Spec.Containers[0].SecurityContext
			got := fmt.Sprintln(*s.RunAsNonRoot, *s.RunAsUser, *s.RunAsGroup, *s.FSGroup, s.SeccompProfile.Type,
				*c.ReadOnlyRootFilesystem, *c.AllowPrivilegeEscalation, c.Capabilities.Drop, len(c.Capabilities.Add), *pod.Spec.AutomountServiceAccountToken)
			if want := fmt.Sprintln(true, 65532, 65532, 65532, "RuntimeDefault", true, false, "[ALL]", 0, false); got != want {
				t.Errorf("got %swant %s", got, want)
			}
		})
	}
}

func TestPodsAreAskedByTheProgramItself(t *testing.T) {
	t.Parallel()
	for variant, pod := range pods(t) {
		t.Run(variant, func(t *testing.T) {
			c := pod.Spec.Containers[0]
			for name, probe := range map[string]*core.Probe{"live": c.LivenessProbe, "startup": c.StartupProbe, "ready": c.ReadinessProbe} {
				want := []string{"/hbjournal", "health", "--live"}
				if name == "ready" {
					want = want[:2]
				}
				if probe == nil || probe.Exec == nil || !slices.Equal(probe.Exec.Command, want) || probe.TimeoutSeconds < 2 {
					t.Errorf("%s: got probe %+v, want %v with more than a second", name, probe, want)
				}
			}
		})
	}
}

// environ returns the variables of the pod, those from a field as @field.
func environ(pod core.PodTemplateSpec) map[string]string {
	all := map[string]string{}
	for _, e := range pod.Spec.Containers[0].Env {
		all[e.Name] = e.Value
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			all[e.Name] = "@" + e.ValueFrom.FieldRef.FieldPath
		}
	}
	return all
}

func TestPodsHaveMemoryForTheBufferAndTimeForTheEnd(t *testing.T) {
	t.Parallel()
	settings := defaults(t)
	for variant, pod := range pods(t) {
		t.Run(variant, func(t *testing.T) {
			limit := pod.Spec.Containers[0].Resources.Limits.Memory().Value()
			if buffer := mebibytes(t, settings["journal_buffer_size"]); limit < buffer+64<<20 {
				t.Errorf("got a limit of %d bytes, want the buffer's %d and 64 MiB at least", limit, buffer)
			}
			if soft := mebibytes(t, environ(pod)["GOMEMLIMIT"]); soft < limit*88/100 || soft > limit*92/100 {
				t.Errorf("got GOMEMLIMIT of %d bytes, want 90 %% of %d", soft, limit)
			}
			timeout, err := time.ParseDuration(settings["shutdown_timeout"])
			if grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; err != nil || grace <= timeout {
				t.Errorf("got a grace of %v, want more than shutdown_timeout=%v (%v)", grace, timeout, err)
			}
		})
	}
}

// mebibytes reads 64MiB.
func mebibytes(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "MiB"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 20
}

// defaults are the settings of a daemon that is told nothing.
func defaults(t *testing.T) map[string]string {
	t.Helper()
	var settings map[string]struct{ Value any }
	decode(t, []byte(output(t, "env", "-i", "HOME=/nonexistent", programHere(t), "config", "-o", "json")), &settings)
	all := map[string]string{}
	for key, s := range settings {
		all[key] = fmt.Sprint(s.Value)
	}
	return all
}

// Whatever the environment of a manifest sets must be a setting, or a variable of Go's or of the manifest's own.
func TestManifestsSetOnlyWhatTheProgramReads(t *testing.T) {
	t.Parallel()
	known := []string{"GOMEMLIMIT", "NODE_IP", "RECEIVER_NAME"}
	for key := range defaults(t) {
		known = append(known, strings.ToUpper(key))
	}
	for variant, pod := range pods(t) {
		args := []string{"-i", "HOME=/nonexistent"}
		for name, value := range environ(pod) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: got variable %s, want one that the program reads", variant, name)
			}
			if value[0] == '@' {
				value = "example-0"
			}
			args = append(args, name+"="+strings.NewReplacer("$(NODE_IP)", "fd00::1", "$(RECEIVER_NAME)", "example-0").Replace(value))
		}
		if _, err := try(t.Context(), "env", append(args, programHere(t), "config", "--check")...); err != nil {
			t.Errorf("%s: %v", variant, err)
		}
	}
}

func TestPodsWriteToWhatIsMountedOnly(t *testing.T) {
	t.Parallel()
	for variant, pod := range pods(t) {
		got := map[string]string{}
		for _, m := range pod.Spec.Containers[0].VolumeMounts {
			if !m.ReadOnly {
				got[m.MountPath] = m.Name
			}
		}
		if len(got) != 2 || got["/var/log/heartbeat"] != "journal" || got["/tmp"] != "tmp" {
			t.Errorf("%s: got mounts %v that may be written, want the journal and /tmp", variant, got)
		}
	}
	central := render(t, "central")["StatefulSet hbjournal"].(*apps.StatefulSet)
	if claims := central.Spec.VolumeClaimTemplates; len(claims) != 1 || claims[0].Name != "journal" {
		t.Errorf("got claims %v, want one for the journal", claims)
	}
	for _, v := range render(t, "node")["DaemonSet hbjournal"].(*apps.DaemonSet).Spec.Template.Spec.Volumes {
		if v.Name == "journal" && (v.HostPath == nil || v.HostPath.Path != "/var/log/heartbeat" || *v.HostPath.Type != core.HostPathDirectory) {
			t.Errorf("got volume %+v, want a directory of the node's that must be there", v)
		}
	}
}

func TestReceiverIsNamedByWhatStaysTheSame(t *testing.T) {
	t.Parallel()
	all := pods(t)
	if got := environ(all["central"])["RECEIVER_NAME"]; got != "@metadata.name" {
		t.Errorf("got %s, want the pod's name, which a StatefulSet keeps", got)
	}
	if got := environ(all["node"])["RECEIVER_NAME"]; got != "@spec.nodeName" {
		t.Errorf("got %s, want the node's name", got)
	}
}

func TestCentralJournalIsOneAndKeepsItsAddressWhileItsDiskIsFull(t *testing.T) {
	t.Parallel()
	all := render(t, "central")
	set := all["StatefulSet hbjournal"].(*apps.StatefulSet)
	if *set.Spec.Replicas != 1 || all["Service "+set.Spec.ServiceName] == nil {
		t.Errorf("got %d replicas of service %q, want one, of a service that is there", *set.Spec.Replicas, set.Spec.ServiceName)
	}
	for _, name := range []string{"hbjournal", "hbjournal-pods"} {
		service := all["Service "+name].(*core.Service).Spec
		if !service.PublishNotReadyAddresses || !matches(service.Selector, set.Spec.Template.Labels) {
			t.Errorf("%s: got %+v, want the pods, ready or not", name, service)
		}
		for _, port := range service.Ports {
			if !hasPort(set.Spec.Template, port.TargetPort.String(), port.Protocol) {
				t.Errorf("%s: got port %+v, which the pod does not have", name, port)
			}
		}
	}
	if s := all["Service hbjournal"].(*core.Service).Spec; s.ExternalTrafficPolicy != core.ServiceExternalTrafficPolicyLocal || s.Ports[0].Port != 50003 {
		t.Errorf("got %+v, want the senders' addresses kept", s)
	}
}

func TestNodeJournalHasTheNetworkOfItsNode(t *testing.T) {
	t.Parallel()
	set := render(t, "node")["DaemonSet hbjournal"].(*apps.DaemonSet)
	pod := set.Spec.Template.Spec
	if !pod.HostNetwork || pod.DNSPolicy != core.DNSClusterFirstWithHostNet || !matches(set.Spec.Selector.MatchLabels, set.Spec.Template.Labels) {
		t.Errorf("got a pod of network %v and DNS %s, want the host's", pod.HostNetwork, pod.DNSPolicy)
	}
	for _, port := range pod.Containers[0].Ports {
		if port.HostPort != port.ContainerPort {
			t.Errorf("got port %+v, want it the same on the host", port)
		}
	}
}

func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

func hasPort(pod core.PodTemplateSpec, name string, protocol core.Protocol) bool {
	return slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p core.ContainerPort) bool { return p.Name == name && p.Protocol == protocol })
}

// kubectl has a kustomize of its own, which people use.
func TestKubectlRendersTheSame(t *testing.T) {
	t.Parallel()
	need(t, "kubectl")
	for variant, want := range objects {
		all, err := decodeStrictly([]byte(strings.TrimSpace(output(t, "kubectl", "kustomize", filepath.Join(kubernetesDir, variant)))))
		if err != nil || len(all) != len(want) {
			t.Errorf("%s: got %d objects, %v, want %v", variant, len(all), err, want)
		}
	}
}
