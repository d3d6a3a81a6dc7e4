// Package format gives an entry of the journal in the forms that other systems take.
//
//	syslog   RFC 5424, one message without framing
//	cef      ArcSight Common Event Format, revision 23
//	gelf     Graylog Extended Log Format 1.1, without compression, chunks or framing
//	ecs      Elastic Common Schema, one JSON object
//
// Each Form holds the whole message as it stands in the journal; gelf and ecs give its fields one by one too. What a form
// cannot hold, such as a line feed in a header, is escaped as its standard says, or replaced. Nothing here does I/O.
//
// How the fields of an entry are mapped:
//
//	entry              syslog              cef                     gelf                  ecs
//	timestamp          TIMESTAMP           rt                      timestamp             @timestamp
//	host               HOSTNAME            shost                   host                  host.name
//	source_ip          SD ip               src, c6a2 for IPv6      _source_ip            source.ip
//	source_port        SD port             spt                     _source_port          source.port
//	message.ID         MSGID               Device Event Class ID   _ID                   event.code
//	message.plugin                         cs1 (cs1Label=plugin)   _plugin               hbjournal.plugin
//	message            MSG                 msg                     full_message          message
//	its fields                                                     _<path>               hbjournal.<path>
//	the entry's id     SD id               externalId              _hbj_id               event.id
//	the receiver       SD receiver        dvchost                 _receiver             observer.name
//	weight             severity 6; 4       1; 6                    level 6; 4            log.level info; warn
//
// The receiver is in whose journal the entry is, if that is asked for. The host is what the message names (name), else the address that sent it. The weight is that of a message; and behind
// the semicolon of a note, which is the journal's own.
package format
