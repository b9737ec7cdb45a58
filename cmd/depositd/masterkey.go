package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"depositd/migrations/custody"
	"depositd/migrations/sqldb"
	"depositd/platform/deposit"
)

// master is where the master key is: in a file, or with custodians whose shares are given at each start.
type master struct {
	file   string
	shares []string // files
	db     string   // the address of the database
}

// masterOf is what the settings say of the master key.
func (s *Settings) masterOf() master {
	m := master{file: s.MasterKeyFile, shares: s.MasterShare, db: s.DB}
	if m.file == "" {
		m.file = filepath.Join(filepath.Dir(sqldb.File(s.DB)), "master.key")
	}
	return m
}

// noMaster is the code of the refusal that the master key's file is not there.
const noMaster = "master_key_missing"

func lacksMaster(err error) bool { return deposit.AsRefusal(err).Code == noMaster }

// badKey refuses a file of a key or a share, or what they are given for.
func badKey(code string, text ...any) error { return deposit.Refuse(deposit.Invalid, code, text...) }

// key reads the master key; the refusal noMaster where there is none.
func (m *master) key() (custody.Key, error) {
	if len(m.shares) > 0 {
		return m.combined()
	}
	text, err := custody.ReadFile(m.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return custody.Key{}, badKey(noMaster, "主密钥文件 ", m.file, " 不存在：请用 --master-key-file 指定；由保管人分持的，用 --master-share 逐份给出；新库用 depositd key new 生成")
	case errors.Is(err, custody.ErrOpen):
		return custody.Key{}, badKey("master_key_exposed", "主密钥文件 ", m.file, " 其他用户可读：请执行 chmod 600")
	case err != nil:
		return custody.Key{}, badKey("master_key_unreadable", "读不到主密钥文件：", err)
	}
	k, err := custody.Parse(text)
	if err != nil {
		return k, badKey("master_key_malformed", m.file, " 不是主密钥文件，或内容有误：请从另存的一份取回")
	}
	return k, nil
}

// combined gives the key that the custodians hold together.
func (m *master) combined() (custody.Key, error) {
	var all []custody.Share
	given := map[int]bool{}
	for _, file := range m.shares {
		text, err := custody.ReadFile(file)
		if errors.Is(err, custody.ErrOpen) {
			return custody.Key{}, badKey("master_share_exposed", "份额文件 ", file, " 其他用户可读：请执行 chmod 600")
		}
		if err != nil {
			return custody.Key{}, badKey("master_share_unreadable", "读不到份额文件：", err)
		}
		share, err := custody.ParseShare(text)
		if err != nil {
			return custody.Key{}, badKey("master_share_malformed", file, " 不是主密钥的份额，或内容有误：请由保管人重新提供")
		}
		all, given[share.Number] = append(all, share), true
	}
	k, err := custody.Combine(all...)
	switch {
	case errors.Is(err, custody.ErrFew):
		return k, badKey("master_shares_few", "份额不足：已给出不同的份额 ", len(given), " 份，需要 ", all[0].Needed, " 份")
	case err != nil:
		return k, badKey("master_shares_mixed", "各份额不属于同一次拆分，请核对编号")
	}
	return k, nil
}

// mayMake says whether a master key may be made without being asked for: beside a database in a file, which tries the program
// out or is one machine's. A server's database is read by others than this machine.
func (m *master) mayMake() bool {
	return len(m.shares) == 0 && sqldb.File(m.db) != ""
}

// unlock unlocks the database, whose tables are there. The database of a file that has no keys yet gets a master key beside
// it, if its tables may be brought; what stood open in it is sealed then.
func (c *call) unlock(ctx context.Context, m *master, db *sqldb.DB, want schema) error {
	key, err := m.key()
	if lacksMaster(err) && want == brought && m.mayMake() {
		its, lookErr := db.Master(ctx)
		if lookErr != nil {
			return lookErr
		}
		if its != "" {
			return err
		}
		key = custody.New()
		if err = custody.WriteFile(m.file, key.Text()); err == nil {
			fmt.Fprintf(c.stderr, "已生成主密钥 %s（编号 %s）：库中的户名、账号和报文均以它加密，丢失则无法读取。请立即另存一份，与数据库及其备份分开保管。\n", m.file, key.ID())
		}
	}
	if err != nil {
		return err
	}
	if err := db.Unlock(ctx, key); err != nil {
		return err
	}
	if want == brought {
		_, err := db.SealFormer(ctx, "migrate")
		return err
	}
	if waiting, err := db.Unsealed(ctx); err != nil || waiting == 0 {
		return err
	}
	return sqldb.ErrSchema
}
