package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
)

// TestFleetIsWiredTogether: names that one part uses for another must be those that the other has.
func TestFleetIsWiredTogether(t *testing.T) {
	t.Parallel()
	all := render(t, "fleet")
	conf, users := all["ConfigMap nats"].(*core.ConfigMap).Data["nats.conf"], all["Secret nats-users"].(*core.Secret).Data
	sets := map[string]*apps.StatefulSet{}
	for _, name := range []string{"nats", "receiver", "archive"} {
		set := all["StatefulSet "+name].(*apps.StatefulSet)
		sets[name] = set
		if all["Service "+set.Spec.ServiceName] == nil || !matches(set.Spec.Selector.MatchLabels, set.Spec.Template.Labels) {
			t.Errorf("%s: got service %q and selector %v, want both to be of its pods", name, set.Spec.ServiceName, set.Spec.Selector)
		}
	}
	for name := range podNames(sets["nats"]) {
		if !strings.Contains(conf, fmt.Sprintf(`"nats://%s.nats:6222"`, name)) {
			t.Errorf("nats.conf has no route to %s", name)
		}
	}
	forward := environ(sets["receiver"].Spec.Template)["FORWARD_TO"]
	for name := range podNames(sets["receiver"]) {
		if len(users[name]) == 0 || !strings.Contains(conf, fmt.Sprintf("user: %s, password: %s,", name, users[name])) || !strings.Contains(conf, `"hbj.`+name+`"`) {
			t.Errorf("receiver %s: got no user of that name with the password of the secret and its own subject in nats.conf", name)
		}
	}
	archivers := slices.Sorted(podNames(sets["archive"]))
	if !strings.Contains(forward, "archivers="+strings.Join(archivers, ",")) || !strings.Contains(forward, "user=$(RECEIVER_NAME)") {
		t.Errorf("got FORWARD_TO=%s, want the archivers %v and the receiver's own user", forward, archivers)
	}
	if init := all["Job init"].(*batch.Job).Spec.Template.Spec.Containers[0].Args; !slices.Contains(init, "--init") || !strings.Contains(init[len(init)-1], "replicas=3") {
		t.Errorf("init: got %v, want the stream made in three copies", init)
	}
	for name, pod := range map[string]core.PodSpec{
		"receiver": sets["receiver"].Spec.Template.Spec, "archive": sets["archive"].Spec.Template.Spec, "init": all["Job init"].(*batch.Job).Spec.Template.Spec,
	} {
		i := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m core.VolumeMount) bool { return m.Name == "users" })
		if i < 0 || pod.Containers[0].VolumeMounts[i].SubPath+pod.Containers[0].VolumeMounts[i].SubPathExpr == "" {
			t.Errorf("%s: got mounts %v, want the password of its own user alone", name, pod.Containers[0].VolumeMounts)
		}
	}
}

// podNames are the names that the pods of a StatefulSet have.
func podNames(set *apps.StatefulSet) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range *set.Spec.Replicas {
			if !yield(fmt.Sprintf("%s-%d", set.Name, i)) {
				return
			}
		}
	}
}

// TestFleetsServersHaveNoMoreRightsThanTheyNeed: those of the others are looked at with the pods of all variants.
func TestFleetsServersHaveNoMoreRightsThanTheyNeed(t *testing.T) {
	t.Parallel()
	all := render(t, "fleet")
	for name, pod := range map[string]core.PodSpec{
		"nats": all["StatefulSet nats"].(*apps.StatefulSet).Spec.Template.Spec, "init": all["Job init"].(*batch.Job).Spec.Template.Spec,
	} {
		s, c := pod.SecurityContext, pod.Containers[0].SecurityContext
		got := fmt.Sprintln(*s.RunAsNonRoot, s.SeccompProfile.Type, *c.ReadOnlyRootFilesystem, *c.AllowPrivilegeEscalation, c.Capabilities.Drop, *pod.AutomountServiceAccountToken)
		if want := fmt.Sprintln(true, "RuntimeDefault", true, false, "[ALL]", false); got != want {
			t.Errorf("%s: got %swant %s", name, got, want)
		}
	}
}
