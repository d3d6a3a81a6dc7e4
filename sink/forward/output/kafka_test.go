package output

import (
	"errors"
	"strings"
	"testing"

	"hbjournal/sink/forward"
)

func TestAReceiverKeepsItsPartitionWhenThereAreMore(t *testing.T) {
	f := func(query string, there int, want int32, wantErr string) {
		t.Helper()
		target, err := Parse("kafka://192.0.2.1/topic" + query)
		if err != nil {
			t.Fatal(err)
		}
		out, err := target.Open(Identity{Journal: "j", Receiver: "web1"})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		got, err := out.(*kafkaOutput).choose(there)
		if wantErr == "" && (err != nil || got != want) || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("%s of %d: got %d, %v; want %d %s", query, there, got, err, want, wantErr)
		}
	}
	f("", 1, 0, "")
	f("", 12, 0, "give partitions=12")
	f("?partition=3", 12, 3, "")
	f("?partition=3", 2, 0, "partition 3 is wanted")
	spreaded := int32(spread("web1", 12))
	f("?partitions=12", 12, spreaded, "")
	f("?partitions=12", 24, spreaded, "")
}

func TestOptionsOfStreamsThatCannotBeRight(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		if _, err := Parse(url); !errors.Is(err, ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error that names %s", url, err, want)
		}
	}
	f("kafka://192.0.2.1", "topic")
	f("kafka://192.0.2.1/a/b", "topic")
	f("kafka:///topic", "host")
	f("kafka://192.0.2.1/topic?sasl=plain", "password_file")
	f("kafka://192.0.2.1/topic?user=u&password_file=/p", "sasl")
	f("kafka://192.0.2.1/topic?partition=1&partitions=2", "do not go together")
	f("kafka://192.0.2.1/topic?partition=x", "partition must be")
	f("kafka://192.0.2.1/topic?max_message=1KiB", "max_message")
	f("kafka://192.0.2.1/topic?password=x", "password_file")
	f("nats://192.0.2.1/path", "no path")
	f("nats://", "host")
	f("nats://192.0.2.1?stream=a.b", "stream must be")
	f("nats://192.0.2.1?subject=a.*", "subject must be")
	f("nats://192.0.2.1?replicas=9", "replicas")
	f("nats://192.0.2.1?token=x", "token_file")
	f("nats://192.0.2.1?proxy=http://192.0.2.2", "proxy")
	target, err := Parse("nats://192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Open(Identity{Receiver: "a b"}); !errors.Is(err, forward.ErrStop) {
		t.Errorf("a receiver's name with a blank: got %v", err)
	}
}
