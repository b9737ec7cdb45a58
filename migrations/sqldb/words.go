package sqldb

import "strings"

// Words puts this engine's words for $ID, $SEQ, $DAY, $TIME and $TABLE into a statement that makes a table which is not
// the schema's, such as one to measure against.
func (db *DB) Words(text string) string {
	for word, meaning := range db.engine.words() {
		text = strings.ReplaceAll(text, word, meaning)
	}
	return text
}
