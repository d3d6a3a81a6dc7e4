package journal

func openBack(opt Options) (Source, error) { panic("later") }
