use conformance::probe::probe::inproc::Server;

fn hold(server: &mut Server) {
    let first = server.recv();
    let second = server.recv();
    drop((first, second));
}

fn main() {}
