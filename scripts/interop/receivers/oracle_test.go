package receivers

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/Graylog2/go-gelf/gelf"
	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func TestGraylogsLibraryPutsChunksTogether(t *testing.T) {
	for _, compress := range []string{"none", "gzip"} {
		reader, err := gelf.NewReader("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b := newBook(t, 60)
		p := b.shipper(t, "gelf+udp://"+reader.Addr()+"?compress="+compress+"&rate=2000", b.name())
		for i, want := range b.messages {
			m, err := reader.ReadMessage()
			if err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
			if m.Full != want || m.Version != "1.1" || m.Host == "" || m.Short == "" || m.Level != 6 || m.Extra["_source_ip"] != "192.0.2.7" {
				t.Errorf("message %d: got %.300v, want %.300s", i, m, want)
			}
		}
		<-p.ended
		if p.err != nil {
			t.Errorf("forward: %v\n%s", p.err, p.said())
		}
	}
}

// takeStream takes streams until the test ends, each to its end, and hands over what came when asked.
func takeStream(t *testing.T) (addr string, got func() []byte) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	var over sync.WaitGroup
	over.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(&all, conn)
			conn.Close()
		}
	})
	return listener.Addr().String(), func() []byte {
		listener.Close()
		over.Wait()
		return all.Bytes()
	}
}

func TestAStrictParserReadsEachMessageOfSyslog(t *testing.T) {
	addr, got := takeStream(t)
	b := newBook(t, 300)
	b.ship(t, "syslog+tcp://"+addr+"?facility=daemon&severity=notice&bom=true", b.name())
	var n int
	octetcounting.NewParser(syslog.WithMaxMessageLength(1<<20), syslog.WithListener(func(r *syslog.Result) {
		if r.Error != nil {
			t.Fatalf("message %d: %v", n, r.Error)
		}
		m := r.Message.(*rfc5424.SyslogMessage)
		if *m.Priority != 3*8+5 || *m.Message != "\ufeff"+b.messages[n] || (*m.StructuredData)["hbj@32473"]["ip"] != "192.0.2.7" ||
			len((*m.StructuredData)["hbj@32473"]["id"]) != 26 || !m.Timestamp.Equal(at(n)) {
			t.Errorf("message %d: got %+v", n, m)
		}
		n++
	})).Parse(bytes.NewReader(got()))
	if n != len(b.messages) {
		t.Errorf("got %d messages, want %d", n, len(b.messages))
	}
}

func TestOpenTelemetrysTypesReadTheRecords(t *testing.T) {
	for _, encoding := range []string{"proto", "json"} {
		var records []*logs.LogRecord
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			// The request has one field, of the same number and type as that of LogsData.
			var data logs.LogsData
			if err == nil && encoding == "proto" {
				err = proto.Unmarshal(body, &data)
			} else if err == nil {
				err = protojson.Unmarshal(body, &data)
			}
			if err != nil || len(data.ResourceLogs) != 1 || data.ResourceLogs[0].Resource.Attributes[0].Key != "service.name" {
				t.Errorf("%s: %v in %.300q", encoding, err, body)
				return
			}
			records = append(records, data.ResourceLogs[0].ScopeLogs[0].LogRecords...)
		}))
		defer server.Close()
		b := newBook(t, 300)
		b.ship(t, "otlp://"+strings.TrimPrefix(server.URL, "http://")+"?encoding="+encoding, b.name())
		if len(records) != len(b.messages) {
			t.Fatalf("%s: got %d records, want %d", encoding, len(records), len(b.messages))
		}
		for i, record := range records {
			attributes := make(map[string]string)
			for _, a := range record.Attributes {
				attributes[a.Key] = a.Value.GetStringValue()
				if a.Key == "client.port" && a.Value.GetIntValue() != 50003 {
					t.Errorf("%s: client.port is %v", encoding, a.Value)
				}
			}
			if record.Body.GetStringValue() != b.messages[i] || record.ObservedTimeUnixNano != uint64(at(i).UnixNano()) ||
				record.SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_INFO || attributes["client.address"] != "192.0.2.7" || len(attributes["hbj.id"]) != 26 {
				t.Errorf("%s: record %d: got %v", encoding, i, record)
			}
		}
	}
}
