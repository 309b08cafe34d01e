#!/usr/bin/perl
# tools/show-stream.pl [NANOSECONDS] - prints the text of an OpenAI event stream as it comes, then tokens and speed
# counted from that time of `date +%s%N`, when the question went out (perl-base and its Time::HiRes are essential packages of Debian: nothing to install).
use strict;
use warnings;
use Time::HiRes 'time';
$| = 1;
my ($start, $first, $n, $bad) = (($ARGV[0] // '') =~ /^(\d{10,})\d{9}$/ ? $ARGV[0] / 1e9 : time, undef, 0, 0);
while (my $line = <STDIN>) {
    if ($line =~ /^(?:data: )?\{"error"/ || $line =~ /^curl:/) { print $line; $bad = 1 }
    next unless $line =~ /^data: \{/;
    if ($line =~ /"content":"((?:[^"\\]|\\.)*)"/ && $1 ne '') {
        my $text = $1;
        my %plain = (n => "\n", t => "\t", r => '', b => '', f => '');
        $text =~ s/\\(u[0-9a-fA-F]{4}|.)/length($1) > 1 ? '?' : exists $plain{$1} ? $plain{$1} : $1/ge;
        $first = time unless defined $first;
        print $text;
    }
    $n = $1 if $line =~ /"completion_tokens":(\d+)/;
}
my $end = time;
print "\n";
if (!defined $first || $bad) { print STDERR "tutti: no answer came\n"; exit 1 }
printf "\n(%d tokens, the first after %.0f ms, then %.0f tokens/s)\n", $n, ($first - $start) * 1000, $n > 1 ? ($n - 1) / ($end - $first + 1e-9) : 0;
