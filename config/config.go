// Package config is the daemon's settings: what there is, its defaults, and where each value comes from.
//
// Config is one flat struct, and its tags are the only list of settings: the YAML key, the environment variable, the
// words that it takes, whether it is a path and the line of help stand on the field, and the flag is the key with dashes
// (journal_dir, JOURNAL_DIR, --journal-dir). A new setting is one field, its default in Default, and one line in
// validate.go; flags, help, the example file and the test of precedence follow by reflection.
//
// Load merges flags over the environment over a YAML file over the defaults. All sources give text, which one parser
// reads, so that a value is spelled the same way everywhere. An empty variable counts as unset. Whatever is wrong is
// gathered and reported at once, with the key, the source, the value, what is allowed and an example.
//
// The package reads one file at most and changes nothing; it knows neither commands nor the parts that it configures.
package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Config holds every setting. The fields that are plain strings and numbers have been checked by Load.
type Config struct {
	JournalEnabled      bool     `yaml:"journal_enabled" env:"JOURNAL_ENABLED" example:"false" help:"write the journal; false: receive and count, write nothing"`
	JournalDir          string   `yaml:"journal_dir" env:"JOURNAL_DIR" path:"dir" example:"./journal" help:"directory of the journal and its backups, made if missing"`
	JournalFile         string   `yaml:"journal_file" env:"JOURNAL_FILE" path:"name" example:"hosts.journal" help:"name of the live file; backups add .YYYYMMDD-HHMMSS"`
	JournalMaxSize      Size     `yaml:"journal_max_size" env:"JOURNAL_MAX_SIZE" example:"500MB" help:"the live file rotates before it would pass this; 0: no limit"`
	JournalMaxBackups   int      `yaml:"journal_max_backups" env:"JOURNAL_MAX_BACKUPS" example:"20" help:"backups kept, the oldest go first; 0: keep all"`
	JournalMaxAge       Duration `yaml:"journal_max_age" env:"JOURNAL_MAX_AGE" example:"30d" help:"backups older than this go; 0: any age"`
	JournalMaxTotalSize Size     `yaml:"journal_max_total_size" env:"JOURNAL_MAX_TOTAL_SIZE" example:"5GB" help:"live file and backups together, as they are on the disk, the oldest backups go first; 0: no limit"`
	JournalMinFree      Size     `yaml:"journal_min_free" env:"JOURNAL_MIN_FREE" example:"1GB" help:"left free on the disk, if need be by removing the oldest backups; 0: nothing"`
	JournalRotateEvery  Period   `yaml:"journal_rotate_every" env:"JOURNAL_ROTATE_EVERY" words:"off,hour,day,week" example:"day" help:"rotates by the clock too: hour, day, week, a duration, or off; an empty file stays"`
	JournalCompress     string   `yaml:"journal_compress" env:"JOURNAL_COMPRESS" words:"none,gzip,zstd" example:"gzip" help:"backups are compressed in the background: gzip, zstd or none"`
	JournalEncryptTo    []string `yaml:"journal_encrypt_to" env:"JOURNAL_ENCRYPT_TO" path:"items" example:"/etc/hbjournal/operators.txt,/etc/hbjournal/escrow.txt" help:"backups are encrypted in the background, after they were compressed, to these age recipients, or those in these files, a list; empty: none are"`
	JournalFsync        Fsync    `yaml:"journal_fsync" env:"JOURNAL_FSYNC" words:"never,always" example:"always" help:"how often lines are forced to the disk: never, always (each batch), or a duration"`
	JournalBufferSize   Size     `yaml:"journal_buffer_size" env:"JOURNAL_BUFFER_SIZE" example:"128MiB" help:"memory for lines that wait for the disk; what no longer fits is counted as dropped"`
	JournalInvalid      string   `yaml:"journal_invalid" env:"JOURNAL_INVALID" words:"keep,drop" example:"drop" help:"datagrams that are no JSON: keep them wrapped, or drop and count them"`
	JournalLocalTime    bool     `yaml:"journal_local_time" env:"JOURNAL_LOCAL_TIME" example:"true" help:"datetime and backup names in the zone of TZ, not in UTC"`
	JournalFileMode     Mode     `yaml:"journal_file_mode" env:"JOURNAL_FILE_MODE" example:"0600" help:"permissions of journal files, whatever the umask"`
	JournalDirMode      Mode     `yaml:"journal_dir_mode" env:"JOURNAL_DIR_MODE" example:"0700" help:"permissions of a journal directory that is made"`

	JournalSignKey       string   `yaml:"journal_sign_key" env:"JOURNAL_SIGN_KEY" path:"file" example:"/etc/hbjournal/sign.key" help:"key that seals the journal, made by 'hbjournal seal keygen NAME'; empty: it is not sealed"`
	JournalCheckpointsTo []string `yaml:"journal_checkpoints_to" env:"JOURNAL_CHECKPOINTS_TO" list:"urls" example:"/mnt/other/checkpoints https://audit.example.com/in" help:"files and URLs that the seal's checkpoints are taken to, a list with white space between, so that nobody here can take them back"`
	JournalWitnessPolicy string   `yaml:"journal_witness_policy" env:"JOURNAL_WITNESS_POLICY" path:"file" example:"/etc/hbjournal/witnesses" help:"file of witnesses (C2SP tlog-policy) that cosign the checkpoints; empty: none"`

	ListenAddr     []string `yaml:"listen_addr" env:"LISTEN_ADDR" example:"127.0.0.1:50003,[::1]:50003" help:"UDP addresses to receive on, a list; no host: every address of IPv4 and IPv6; 0.0.0.0: of IPv4 alone"`
	ListenBuffer   Size     `yaml:"listen_buffer" env:"LISTEN_BUFFER" example:"16MiB" help:"socket receive buffer; what the kernel granted is logged"`
	MaxMessageSize Size     `yaml:"max_message_size" env:"MAX_MESSAGE_SIZE" example:"4MiB" help:"longest message after inflating; longer ones are kept as they came"`
	AllowFrom      []string `yaml:"allow_from" env:"ALLOW_FROM" example:"10.0.0.0/8,192.168.1.100" help:"sources whose datagrams are taken, addresses or networks, a list; empty: all"`
	RateLimit      int      `yaml:"rate_limit" env:"RATE_LIMIT" example:"1000" help:"datagrams a second taken from one source address, the rest is counted and dropped; 0: no limit"`

	FilterInclude []string `yaml:"filter_include" env:"FILTER_INCLUDE" example:"ID=PLG,source_ip=10.0.0.0/8" help:"only messages that match one of these rules, field=glob or source_ip=network, are journaled; empty: all"`
	FilterExclude []string `yaml:"filter_exclude" env:"FILTER_EXCLUDE" example:"ID=HTB,plugin=cpu_*" help:"but none that match one of these; ID=HTB leaves heartbeats out"`
	DedupWindow   Duration `yaml:"dedup_window" env:"DEDUP_WINDOW" example:"1s" help:"copies of a message from the same address within this time count once, so keep it below the interval of heartbeats, which repeat by design; 0: off"`

	ForwardTo    []string `yaml:"forward_to" env:"FORWARD_TO" list:"urls" example:"file:///srv/copy/ https://logs.example.com/in?token_file=/etc/hbjournal/token" help:"outputs that the journal is forwarded to, a list of URLs with white space between; see 'hbjournal forward --help'"`
	ForwardHold  Size     `yaml:"forward_hold" env:"FORWARD_HOLD" example:"10GB" help:"backups that an output still needs are kept beyond the limits until the journal takes this much, and journal_min_free wins; 0: outputs keep nothing, and what goes is noted"`
	ReceiverName string   `yaml:"receiver_name" env:"RECEIVER_NAME" example:"rx1" help:"name of this journal at those that it is forwarded to, of a-z, 0-9, _ and -; empty: the host name with dots as -"`

	ArchiveFrom  string `yaml:"archive_from" env:"ARCHIVE_FROM" example:"nats://n1.example.com,n2.example.com?creds_file=/etc/hbjournal/archive.creds" help:"URL of the stream that 'hbjournal archive' writes the journals of a fleet from; serve ignores it"`
	ArchiverName string `yaml:"archiver_name" env:"ARCHIVER_NAME" example:"a" help:"name of this archive at the receivers, which keep what it has not confirmed, of a-z, 0-9, _ and -; empty: the host name with dots as -"`

	HTTPAddr string `yaml:"http_addr" env:"HTTP_ADDR" words:"off" example:"127.0.0.1:9513" help:"address of /healthz, /readyz, /stats and /metrics; empty or off: none"`

	WebAddr        string   `yaml:"web_addr" env:"WEB_ADDR" example:"127.0.0.1:9514" help:"address of the live page, 'hbjournal web'; beyond loopback it needs web_token_file or web_no_auth"`
	WebHosts       []string `yaml:"web_hosts" env:"WEB_HOSTS" example:"hb.example.com,hb" help:"names under which the live page is asked for, beside addresses and localhost, a list"`
	WebTokenFile   string   `yaml:"web_token_file" env:"WEB_TOKEN_FILE" path:"file" example:"/etc/hbjournal/web.token" help:"file of the token that the live page asks for, as the password of any user or as Bearer; empty: none"`
	WebNoAuth      bool     `yaml:"web_no_auth" env:"WEB_NO_AUTH" example:"true" help:"whoever can reach web_addr may see all messages"`
	WebTLSCert     string   `yaml:"web_tls_cert" env:"WEB_TLS_CERT" path:"file" example:"/etc/hbjournal/web.crt" help:"certificate of the live page, and with it web_tls_key; empty: plain HTTP"`
	WebTLSKey      string   `yaml:"web_tls_key" env:"WEB_TLS_KEY" path:"file" example:"/etc/hbjournal/web.key" help:"key of web_tls_cert"`
	WebHostMetrics bool     `yaml:"web_host_metrics" env:"WEB_HOST_METRICS" example:"true" help:"/metrics of the live page has a figure of each host, at most 1000"`

	LogLevel      string `yaml:"log_level" env:"LOG_LEVEL" words:"debug,info,warn,error" example:"debug" help:"least level of the daemon's own log: debug, info, warn or error"`
	LogFormat     string `yaml:"log_format" env:"LOG_FORMAT" words:"auto,json,console" example:"json" help:"json, console, or auto: console on a terminal"`
	LogFile       string `yaml:"log_file" env:"LOG_FILE" path:"file" example:"/var/log/heartbeat.log" help:"file for the own log, rotated by itself, or a device or FIFO, which is not; empty: standard error"`
	LogMaxSize    Size   `yaml:"log_max_size" env:"LOG_MAX_SIZE" example:"10MB" help:"log_file rotates at this size, in whole MiB"`
	LogMaxBackups int    `yaml:"log_max_backups" env:"LOG_MAX_BACKUPS" example:"5" help:"rotated files of the own log that are kept; 0: keep all"`

	ShutdownTimeout Duration `yaml:"shutdown_timeout" env:"SHUTDOWN_TIMEOUT" example:"30s" help:"longest wait at the end for what was received to reach the disk"`
}

// Default returns the settings of a daemon that was told nothing.
func Default() Config {
	return Config{
		JournalEnabled:    true,
		JournalDir:        "/var/log/heartbeat",
		JournalFile:       "messages.journal",
		JournalMaxSize:    100 * MiB,
		JournalMaxBackups: 10,
		JournalCompress:   "none",
		JournalFsync:      Fsync(time.Second),
		JournalBufferSize: 64 * MiB,
		JournalInvalid:    "keep",
		JournalFileMode:   0o640,
		JournalDirMode:    0o750,
		ListenAddr:        []string{":50003"},
		ListenBuffer:      4 * MiB,
		MaxMessageSize:    1 * MiB,
		HTTPAddr:          "127.0.0.1:9503",
		WebAddr:           "127.0.0.1:9504",
		LogLevel:          "info",
		LogFormat:         "auto",
		LogMaxSize:        100 * MB,
		LogMaxBackups:     3,
		ShutdownTimeout:   Duration(10 * time.Second),
	}
}

// Key describes one setting.
type Key struct {
	Name string // in YAML: journal_dir
	Var  string // in the environment: JOURNAL_DIR
	Flag string // without its dashes: journal-dir
	Help string // what it does, as a phrase

	Example string   // a value other than the default, as it is spelled in each source
	Words   []string // that it takes, in any case; nil: none

	urls  bool   // a list of URLs, which hold commas: white space stands between
	path  string // what its text names: pathDir, pathFile or pathName; "": no path
	paths bool   // it is a list in which paths may be
	index int    // of the field in Config
}

// Keys returns every setting, in the order of Config's fields.
func Keys() []Key {
	t := reflect.TypeFor[Config]()
	keys := make([]Key, 0, t.NumField())
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("yaml")
		keys = append(keys, Key{
			Name:    name,
			Var:     tag.Get("env"),
			Flag:    strings.ReplaceAll(name, "_", "-"),
			Help:    tag.Get("help"),
			Example: tag.Get("example"),
			Words:   words(t.Field(i)),
			urls:    tag.Get("list") == "urls",
			path:    strings.TrimSuffix(tag.Get("path"), pathItems),
			paths:   tag.Get("path") == pathItems,
			index:   i,
		})
	}
	return keys
}

// words are those of the tag, or of a switch.
func words(f reflect.StructField) []string {
	if f.Type.Kind() == reflect.Bool {
		return []string{"true", "false"}
	}
	if tag := f.Tag.Get("words"); tag != "" {
		return strings.Split(tag, ",")
	}
	return nil
}

// KeyNames returns the YAML name of every setting.
func KeyNames() []string {
	var names []string
	for _, k := range Keys() {
		names = append(names, k.Name)
	}
	return names
}

func keyNamed(name string) (Key, bool) {
	keys := Keys()
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// Text returns the setting's value in cfg as it is spelled in each source, with Separator between the items of a list.
func (k Key) Text(cfg Config) string {
	field := reflect.ValueOf(cfg).Field(k.index)
	if list, ok := field.Interface().([]string); ok {
		return strings.Join(list, k.Separator())
	}
	return text(field)
}

// Separator stands between the items of a list.
func (k Key) Separator() string {
	if k.urls {
		return " "
	}
	return ","
}

// Value returns the setting's value in cfg as it is best printed in JSON or YAML: a bool, a number, a list, or text.
func (k Key) Value(cfg Config) any {
	field := reflect.ValueOf(cfg).Field(k.index)
	switch value := field.Interface().(type) {
	case bool, int:
		return value
	case []string:
		return append([]string{}, value...) // [] and not null, if there are none
	}
	return text(field)
}

// IsBool reports whether the setting is a switch, whose flag needs no value.
func (k Key) IsBool() bool { return k.fieldType().Kind() == reflect.Bool }

// IsList reports whether the setting is a list.
func (k Key) IsList() bool { return k.fieldType().Kind() == reflect.Slice }

// Kind is one word for what the setting takes: size, duration, period, mode, fsync, switch, number, list or text.
func (k Key) Kind() string {
	switch t := k.fieldType(); t {
	case reflect.TypeFor[Size](), reflect.TypeFor[Duration](), reflect.TypeFor[Period](), reflect.TypeFor[Mode](), reflect.TypeFor[Fsync]():
		return strings.ToLower(t.Name())
	}
	switch k.fieldType().Kind() {
	case reflect.Bool:
		return "switch"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		return "list"
	default:
		return "text"
	}
}

func (k Key) fieldType() reflect.Type { return reflect.TypeFor[Config]().Field(k.index).Type }

func (k Key) field(cfg *Config) reflect.Value { return reflect.ValueOf(cfg).Elem().Field(k.index) }
