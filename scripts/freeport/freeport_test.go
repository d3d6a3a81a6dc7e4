package freeport

import (
	"io"
	"net"
	"os/exec"
	"sync"
	"testing"
)

func TestAPortThatIsTakenIsNotFree(t *testing.T) {
	for name, take := range map[string]func(addr string) (io.Closer, error){
		"TCP":         func(addr string) (io.Closer, error) { return net.Listen("tcp", addr) },
		"UDP":         func(addr string) (io.Closer, error) { return net.ListenPacket("udp", addr) },
		"any address": func(addr string) (io.Closer, error) { return net.Listen("tcp", ":"+addr[len("127.0.0.1:"):]) },
		"another address": func(addr string) (io.Closer, error) {
			return net.ListenPacket("udp", "127.0.0.2"+addr[len("127.0.0.1"):])
		},
	} {
		p := Must(t)
		socket, err := take(p.Addr())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		taken, err := takenPorts()
		if err != nil || !taken[p] {
			t.Errorf("%s: port %s is called free, and is not: %v", name, p, err)
		}
		socket.Close()
	}
}

func TestAPortIsFreeBesideProcessesThatStart(t *testing.T) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("true").Run()
				}
			}
		})
	}
	for range 100 {
		server, err := net.Listen("tcp", Must(t).Addr())
		if err != nil {
			t.Error(err)
			break
		}
		server.Close()
	}
	close(stop)
	wg.Wait()
}
