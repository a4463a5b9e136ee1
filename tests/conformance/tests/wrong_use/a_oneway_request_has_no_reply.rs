use conformance::probe::probe::{Request, inproc::Server};

fn answer(server: &mut Server) {
    if let Ok(Some(Request::Note(call))) = server.recv() {
        let _ = call.reply(1);
    }
}

fn main() {}
